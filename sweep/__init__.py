"""Find out which changes to a GPT training run are real.

`sweep.load("interventions")` returns the runs of a study as a DataFrame, and `sweep.analysis` has the
statistics. Everything else is done with the command line.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load"]


def load(
    study: str | None = None, *, runs: str | Path = "runs", db: str | None = None
) -> pd.DataFrame:
    """Return the runs of a study as a table with one row per arm and seed.

    `study`: its name, None for the study last run. `runs`: the folder of results. `db`: a database
    URL, if the database is not `sweep.db` in that folder. Columns: arm, seed, the seeds of the three
    random streams, loss (nats per token; NaN if there is none), status, and everything recorded.

    Raises sweep.errors.StoreError and sweep.errors.NotFoundError.
    """
    from sweep.notebook.client import ask
    from sweep.notebook.frame import runs_frame

    return runs_frame(ask("load_runs", study=study, runs=str(runs), db=db))
