"""Databases in place of an export: whose they are, and how to export from them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

OWNERS = {
    frozenset({"trials", "trial_params", "studies"}): (
        "is a storage of Optuna; write its trials as CSV: optuna.load_study(study_name=NAME, "
        "storage='sqlite:///{path}').trials_dataframe().to_csv('trials.csv')"
    ),
    frozenset({"experiments", "runs", "latest_metrics"}): (
        "is a database of MLflow; write its runs as CSV: mlflow.set_tracking_uri('sqlite:///{path}'"
        "), then mlflow.search_runs(search_all_experiments=True).to_csv('runs.csv')"
    ),
    frozenset({"arms", "members", "runs", "studies"}): (
        "is a database of sweep; its studies are there already: sweep list --runs {folder}"
    ),
}
"""By tables that a database has: what it is, and what to do."""
_UNKNOWN = (
    "is a SQLite database; export the table of runs as CSV: sqlite3 -csv -header {path} QUERY"
)


def database_remedy(path: Path) -> str:
    """Say whose database a file is, and what to do. The file is only read."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            query = "SELECT name FROM sqlite_master WHERE type = 'table'"
            tables = {name for (name,) in connection.execute(query)}
        finally:
            connection.close()
    except sqlite3.Error:
        tables = set()
    remedy = next((text for owned, text in OWNERS.items() if owned <= tables), _UNKNOWN)
    return remedy.format(path=path, folder=path.parent)
