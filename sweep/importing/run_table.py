"""Runs of a file as a table with typed columns. Light enough for a million of them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from sweep.importing.rules import NOT_ENDED
from sweep.store.states import RunState
from sweep.terminal.printable import shown

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

RUN_LABEL = "run "
"""Begins the label of a run that is told apart by its id and not by a seed."""


@dataclass(frozen=True, kw_only=True)
class RunTable:
    """One value per run in each column. All columns have the index 0 to runs - 1."""

    arm: pd.Series[Any]
    label: pd.Series[Any]
    """Tells a run from others of its arm: its seeds, or its id; empty if the file has neither."""
    seed: pd.Series[Any]
    """Int64; NA for a run that still has to be numbered."""
    init_seed: pd.Series[Any]
    order_seed: pd.Series[Any]
    dropout_seed: pd.Series[Any]
    loss: pd.Series[Any]
    """Float64; NaN for a run without one."""
    state: pd.Series[Any]
    """RunState: DONE, DIVERGED, FAILED or `rules.NOT_ENDED`."""
    cause: pd.Series[Any]
    """Why it diverged or failed, in words; empty otherwise."""
    step: pd.Series[Any]
    """Float64: the step that the loss was logged at; NaN if the file has no steps."""
    row: pd.Series[Any]
    """Row of the file, counted from 1 below the header."""

    def __len__(self) -> int:
        return len(self.arm)

    def take(self, places: NDArray[np.intp]) -> RunTable:
        """Return the runs at these places, in this order."""
        columns = {
            column.name: getattr(self, column.name).take(places).reset_index(drop=True)
            for column in fields(self)
        }
        return replace(self, **columns)

    def describe(self, place: int) -> str:
        """Name a run for a message: `arm 'clip', seed 3`; without a label, only the arm."""
        if self.label.isna()[place]:
            return f"arm {shown(self.arm[place])}"
        label = str(self.label[place])
        kind = "" if label.startswith(RUN_LABEL) else "seed "
        return f"arm {shown(self.arm[place])}, {kind}{label}"

    def outcome(self, place: int) -> str:
        """Describe how a run ended: `loss 2.5` or `status failed`."""
        return outcome(self.state[place], self.loss[place])


def outcome(state: RunState, loss: float) -> str:
    """Describe how a run ended: `loss 2.5` or `status failed`."""
    if state == NOT_ENDED:
        return "no result yet"
    return f"loss {float(loss)!r}" if state == RunState.DONE else f"status {state}"
