"""Research loops of agents: `results.tsv` with a row per experiment, as autoresearch writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweep.importing.fields import Field, is_test_metric
from sweep.importing.tools.export import Asked, Export

if TYPE_CHECKING:
    import pandas as pd


def read_experiments(frame: pd.DataFrame, asked: Asked) -> Export | None:  # noqa: ARG001  (as others)
    """Recognise a table of experiments: each is described in words, and has one validation loss."""
    names = [str(name) for name in frame.columns]
    if not {"commit", "status", "description"} <= set(names):
        return None
    losses = [name for name in names if is_test_metric(name)]
    columns = {Field.ARM: "description", Field.STATUS: "status"}
    if len(losses) == 1:
        columns[Field.LOSS] = losses[0]
    return Export(frame=frame, tool="a table of a research loop", columns=columns)
