"""Losses of exactly 0, below 0, or huge, which some programs write for a run that crashed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sweep.importing.rules import Reading
from sweep.importing.run_table import RunTable
from sweep.metrics.metric import Direction
from sweep.store.states import RunState

if TYPE_CHECKING:
    import pandas as pd

FAR = 0.2
"""A loss is suspect if every other one is at least this fraction of their median."""

HUGE = 100.0
"""A loss is suspect above this multiple of the median: 9999 and 1e9 stand for crashes, too."""


def judge_losses(table: RunTable, reading: Reading) -> RunTable:
    """Give runs with a loss of 0, below 0 or far above the others the state that the rules say; ask if they may be crashes.

    If higher is better, a 0 is not suspect: it cannot make a crash look like a good result.
    """
    rules, done = reading.rules, table.state == RunState.DONE
    zero, negative = done & (table.loss == 0), done & (table.loss < 0)
    if rules.zero_loss is None and rules.direction is Direction.MINIMIZE:
        _ask(table, zero, "of exactly 0", "zero", reading)
    if rules.negative_loss is None:
        _ask(table, negative, "below 0", "negative", reading)
        _ask_for_direction(table.loss[done], reading)
    huge = done & (table.loss > HUGE * table.loss[done].median()) & ~zero & ~negative
    if rules.large_loss is None and rules.direction is Direction.MINIMIZE:
        _ask(table, huge, "far above the others", "large", reading)
    table = _with_state(table, huge, rules.large_loss, "its loss was far above the others")
    table = _with_state(table, zero, rules.zero_loss, "its loss was exactly 0")
    return _with_state(table, negative, rules.negative_loss, "its loss was below 0")


def _ask(table: RunTable, rows: pd.Series[Any], what: str, word: str, reading: Reading) -> None:
    """Ask what the losses in these rows are, if all others are far from them."""
    others = table.loss[(table.state == RunState.DONE) & ~rows]
    if not rows.any() or others.empty or not _are_far(others, word):
        return
    reading.questions.ask(
        f"{reading.source}: row {table.row[rows].tolist()[0]} has a loss {what}, and the other "
        f"losses are between {others.min():g} and {others.max():g}; some programs write it for a run "
        f"that crashed. Add --{word}-loss failed, or --{word}-loss done if it is a real loss"
    )


def _are_far(others: pd.Series[Any], word: str) -> bool:
    """True if these losses are all far from 0 on one side: above 0 if the suspect is negative."""
    median = float(others.median())
    if median == 0 or (median < 0 and word == "negative"):
        return False
    return float((others / median).min()) >= FAR


def _ask_for_direction(losses: pd.Series[Any], reading: Reading) -> None:
    """Ask which direction is better if every loss is below 0, as log-likelihoods are."""
    if reading.rules.is_direction_given or losses.empty or not (losses < 0).all():
        return
    reading.questions.ask(
        f"{reading.source}: every loss is below 0, as a log-likelihood is, which is better when it "
        "is higher; add --higher-is-better or --lower-is-better"
    )


def _with_state(
    table: RunTable, rows: pd.Series[Any], state: RunState | None, cause: str
) -> RunTable:
    """Give these rows a state, and why they have it."""
    import pandas as pd

    if state in (None, RunState.DONE) or not rows.any():
        return table
    given = pd.Series(state, index=rows.index, dtype=object)
    causes = table.cause.astype(object).mask(rows, cause)
    return replace(table, state=table.state.mask(rows, given), cause=causes)
