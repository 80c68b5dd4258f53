"""Find out which changes to a training run are real.

`sweep.load("interventions")` returns the runs of a study as a DataFrame; `sweep.curves`,
`sweep.effects`, `sweep.noise` and `sweep.plan` return what their names say, and `sweep.analysis` has
the statistics. Everything else is done with the command line.

All five take `study`, its name or file, None for the study last run; `runs`, the folder of results;
and `db`, a database URL if the database is not `sweep.db` in that folder. docs/results.md has their
columns. They raise the exceptions of `sweep.errors`, such as StoreError and NotFoundError.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["curves", "effects", "load", "noise", "plan"]


def load(
    study: str | None = None, *, runs: str | Path = "runs", db: str | None = None
) -> pd.DataFrame:
    """Return the runs of a study as a table with one row per arm and seed.

    Columns: arm, seed, the seeds of the three random streams, loss (nats per token; NaN if there is
    none), status, everything recorded, each metric, and each field that not all runs share.
    """
    from sweep.notebook.frame import runs_frame

    return runs_frame(_ask("load", study, runs, db))


def curves(
    study: str | None = None, *, runs: str | Path = "runs", db: str | None = None
) -> pd.DataFrame:
    """Return the training curves of a study as a table with one row per run and step."""
    from sweep.notebook.frame import curves_frame

    return curves_frame(_ask("curves", study, runs, db))


def effects(
    study: str | None = None, *, runs: str | Path = "runs", db: str | None = None
) -> pd.DataFrame:
    """Return the effects and verdicts of a study as a table with one row per arm.

    The baseline is the first row. Of a factorial, a row is an effect.
    """
    from sweep.notebook.frame import effects_frame

    return effects_frame(_ask("effects", study, runs, db))


def noise(
    study: str | None = None, *, runs: str | Path = "runs", db: str | None = None
) -> pd.DataFrame:
    """Return the noise of a study's baseline, with a row for each stream that was measured.

    It is what `sweep noise` has measured last, or else the noise of the baseline's runs.
    """
    from sweep.notebook.frame import noise_frame

    return noise_frame(_ask("noise", study, runs, db))


def plan(
    study: str | None = None, *, runs: str | Path = "runs", db: str | None = None
) -> pd.DataFrame:
    """Return the arms of a study, run or not, and the smallest effect that each can show."""
    from sweep.notebook.frame import plan_frame

    return plan_frame(_ask("plan", study, runs, db))


def _ask(function: str, study: str | None, runs: str | Path, db: str | None) -> Any:  # noqa: ANN401  (what JSON holds)
    from sweep.notebook.client import ask

    word = None if study is None else str(study)
    return ask(function, study=word, runs=str(runs), db=db)
