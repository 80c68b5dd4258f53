"""Which changes to a GPT training run are real?

`sweep.load("interventions")` gives a study's runs as a DataFrame; the rest is the command line.
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
    """The runs of a study, one row per arm and seed, for notebooks.

    `study` is its name, or None for the one last run; `runs` the folder of results; `db` a
    database URL when it is not `sweep.db` in that folder. Columns: arm, seed, the three stream
    seeds, loss (nats per token; NaN where there is none), status, and all that was recorded.

    Raises sweep.errors.StoreError and sweep.errors.NotFoundError.
    """
    from sweep.store.store import Store
    from sweep.store.url import store_url
    from sweep.verdicts.judge import runs_frame

    with Store(store_url(db, Path(runs))) as store:
        return runs_frame(store.study_runs(store.study(study).name))
