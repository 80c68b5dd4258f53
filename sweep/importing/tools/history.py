"""Tables with a row per run and step, or per run, step and metric, whose runs have names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweep.importing.fields import Field, recognise
from sweep.importing.tools.export import Asked, Export

if TYPE_CHECKING:
    import pandas as pd

_NAMES = ("run", "Run", "dir_name")
"""Columns with the names of runs: TensorBoard's and tbparse's tables, MLflow's charts, W&B's API."""
_ID = r"(?=.*\d)[0-9a-z]{8}|[0-9a-f]{8,}"
"""A run's id, which is no name of an arm."""


def read_history(frame: pd.DataFrame, asked: Asked) -> Export | None:  # noqa: ARG001  (as others)
    """Take the name of the run for the arm, if nothing else names arms."""
    names = [str(name) for name in frame.columns]
    run = next((name for name in _NAMES if name in names), None)
    if run is None or Field.ARM in dict(recognise(names)):
        return None
    if frame[run].isna().any() or frame[run].astype("str").str.fullmatch(_ID).all():
        return None
    return Export(frame=frame, tool="a history of runs", columns={Field.ARM: run})
