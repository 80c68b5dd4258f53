"""Losses of exactly 0, which some programs write for a run that crashed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sweep.errors import ResultsError
from sweep.importing.rules import Rules
from sweep.importing.run_table import RunTable
from sweep.metrics.metric import Direction
from sweep.store.states import RunState

if TYPE_CHECKING:
    import pandas as pd

FAR = 0.2
"""Zero is suspect if every other loss is at least this fraction of their median."""


def judge_zero_losses(table: RunTable, rules: Rules, source: str) -> RunTable:
    """Give runs with a loss of 0 the state that the rules say. Raises ResultsError to ask for it."""
    import pandas as pd

    zero = (table.state == RunState.DONE) & (table.loss == 0)
    if not zero.any():
        return table
    if rules.zero_loss is None:
        if rules.direction is Direction.MINIMIZE and _is_suspect(table, zero):
            raise ResultsError(_question(table, table.row[zero].tolist(), source))
        return table
    if rules.zero_loss == RunState.DONE:
        return table
    given = pd.Series(rules.zero_loss, index=zero.index, dtype=object)
    state = table.state.where(~zero, given)
    return replace(table, state=state, cause=table.cause.where(~zero, "its loss was exactly 0"))


def _is_suspect(table: RunTable, zero: pd.Series[Any]) -> bool:
    """True if all other losses are far from 0, on the same side."""
    others = table.loss[(table.state == RunState.DONE) & ~zero]
    if others.empty:
        return False
    median = float(others.median())
    return median != 0 and float((others / median).min()) >= FAR


def _question(table: RunTable, rows: Sequence[int], source: str) -> str:
    others = table.loss[(table.state == RunState.DONE) & (table.loss != 0)]
    return (
        f"{source}: row {rows[0]} has a loss of exactly 0, and the other losses are between "
        f"{others.min():g} and {others.max():g}; some programs write 0 for a run that crashed. Say "
        "what it is: --zero-loss failed, or --zero-loss done for a real loss"
    )
