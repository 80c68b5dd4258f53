"""Runs as a DataFrame. Imports nothing of ours: it is called in the user's process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("arm", "seed", "init_seed", "order_seed", "dropout_seed", "loss", "status")


def runs_frame(runs: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """A row per arm and seed: `COLUMNS`, then everything else that was recorded about the run.

    Each metric is a column; one with the name of another column is called `metrics.NAME`, unless
    it is that column.
    """
    import pandas as pd

    renamed = {"test_loss": "loss", "state": "status", "id": "run"}
    own = {each for name in (runs[0] if runs else ()) for each in (name, renamed.get(name, name))}
    frame = pd.DataFrame([_row(run, own) for run in runs]).rename(columns=renamed)
    first = [column for column in COLUMNS if column in frame]
    frame["loss"] = frame["loss"].astype(float)
    return frame[first + [column for column in frame if column not in first]]


def _row(run: dict[str, Any], own: set[str]) -> dict[str, Any]:
    """A run with its metrics as columns; `own`: the names of the other columns."""
    columns = {key: value for key, value in run.items() if key != "metrics"}
    further = {
        f"metrics.{name}" if name in own else name: value
        for name, value in run.get("metrics", {}).items()
        if columns.get(name) != value
    }
    return {**columns, **further}
