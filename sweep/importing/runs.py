"""The rows of a file as runs: every cell is checked, and each run is kept once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sweep.errors import ResultsError
from sweep.importing.cells import (
    is_empty,
    no_numbers,
    read_arms,
    read_numbers,
    read_stream_seeds,
    seed_labels,
    seed_numbers,
    unite_numbers,
    whole_numbers,
)
from sweep.importing.fields import SEED_FIELDS, STREAM_FIELDS, Field
from sweep.importing.left_out import Cells, LeftOut, leave_out
from sweep.importing.reruns import split_reruns
from sweep.importing.rules import NOT_ENDED, Reading, Rules
from sweep.importing.run_table import RUN_LABEL, RunTable
from sweep.importing.statuses import AMBIGUOUS, normal_words, read_states
from sweep.importing.steps import Ends, check_no_step, find_ends, pick_steps, read_ends
from sweep.importing.suspects import judge_losses
from sweep.metrics.metric import Direction
from sweep.store.states import RunState

if TYPE_CHECKING:
    import pandas as pd


FREE_FIRST = (Field.ORDER_SEED, Field.DROPOUT_SEED, Field.INIT_SEED)
"""Streams in the order in which a column `seed` beside those of other streams stands for them."""
NO_LOSS = "it has no loss"
"""Why a run failed that ended well and has no loss."""


@dataclass(frozen=True, kw_only=True)
class Runs:
    """The runs of a file, and what was noticed when they were read."""

    table: RunTable
    """In the order of the file."""
    seed_fields: tuple[Field, ...]
    """Seeds that runs pair by; empty if no runs pair."""
    reruns: RunTable
    """Rows that repeat an earlier one as exact reruns; empty unless the rules say so."""
    repeated_rows: int
    """Rows that were left out because they repeat another one exactly."""
    rows_without_loss: Sequence[int]
    """Rows of runs that ended well and have no loss; they count as failed."""
    rows_diverged: Sequence[int]
    """Rows that count as diverged because their loss is not finite."""
    rows_terminated: Sequence[int]
    """Rows with the status `terminated` that count as done, since they have a loss."""
    rows_zero: Sequence[int]
    """Rows that count as done with a value of exactly 0, where higher is better."""
    rows_alike: Sequence[int]
    """Rows of runs without a label that have the arm and the loss of another one."""
    left_out: LeftOut
    """Rows that are no runs."""
    united: Mapping[str, str]
    """By spelling of an arm with numbers: the spelling that was taken in its place."""
    ends: Ends
    """The last steps of the runs, if they differ."""

    @property
    def last_step(self) -> float | None:
        """The step that all done runs count at; None if they differ, or the file has none."""
        steps = self.table.step[self.table.state == RunState.DONE].unique().tolist()
        return steps[0] if len(steps) == 1 and steps[0] == steps[0] else None

    @property
    def arms(self) -> list[str]:
        """The arms, in the order of the file."""
        return list(map(str, self.table.arm.unique()))


def read_runs(
    cells: Cells,
    reading: Reading,
    further: pd.DataFrame,
    parents: pd.Series[Any] | None = None,
) -> Runs:
    """Check every row and keep one row per run; of several steps, the last with a loss.

    `parents` has the id of each run's parent; `further` the other columns. Asks, naming row and
    value, about a loss that is no number, an unknown status, a crash. Raises ResultsError for an
    arm with an impossible name, a run with two different losses, and a file without a loss.
    """
    source, rules = reading.source, reading.rules
    _check_losses(cells, source)
    if Field.STEP not in cells:
        check_no_step(rules, source)
    left_out = leave_out(cells, parents, rules, source)
    arm, united = unite_numbers(read_arms(left_out.cells[Field.ARM], source), reading.known_arms)
    cells = {**left_out.cells, Field.ARM: arm}
    seed_fields = tuple(field for field in SEED_FIELDS if field in cells)
    rows = _read_rows(cells, seed_fields, reading)
    empty = is_empty(cells[Field.LOSS]).reset_index(drop=True)
    table = pick_steps(rows, empty, rules, source) if Field.STEP in cells else rows
    single, reruns = _without_repeats(table, reading)
    kept = judge_losses(single, reading)
    kept, ends = find_ends(rows, empty, kept) if Field.STEP in cells else read_ends(kept, further)
    return Runs(
        table=kept,
        seed_fields=seed_fields,
        reruns=reruns,
        repeated_rows=len(table) - len(kept) - len(reruns),
        rows_without_loss=kept.row[kept.cause == NO_LOSS].tolist(),
        rows_diverged=_diverged(kept),
        rows_terminated=_terminated(cells, kept, rules),
        rows_zero=_zeros(kept, rules),
        rows_alike=_alike(kept),
        left_out=left_out,
        united=united,
        ends=ends,
    )


def _check_losses(cells: Cells, source: str) -> None:
    """Raise ResultsError if no row has a loss."""
    if is_empty(cells[Field.LOSS]).all():
        raise ResultsError(
            f"{source}: the column of the loss is empty in every row; name the one that holds the "
            "loss: --column loss=COLUMN, or export it again with its values"
        )


def _diverged(kept: RunTable) -> list[int]:
    from analysis.runs import MAX_LOSS

    by_loss = kept.cause.notna() & ~(kept.loss.abs() <= MAX_LOSS)
    rows: list[int] = kept.row[(kept.state == RunState.DIVERGED) & by_loss].tolist()
    return rows


def _alike(kept: RunTable) -> list[int]:
    plain = kept.label.isna() & (kept.state == RunState.DONE)
    rows: list[int] = kept.row[plain & _repeats(kept.arm, kept.loss, plain, keep=False)].tolist()
    return rows


def _zeros(kept: RunTable, rules: Rules) -> list[int]:
    if rules.direction is Direction.MINIMIZE or rules.zero_loss is not None:
        return []
    rows: list[int] = kept.row[(kept.state == RunState.DONE) & (kept.loss == 0)].tolist()
    return rows


def _terminated(cells: Cells, kept: RunTable, rules: Rules) -> list[int]:
    if Field.STATUS not in cells or AMBIGUOUS in rules.statuses:
        return []
    words = normal_words(cells[Field.STATUS]).loc[kept.row - 1].to_numpy()
    rows: list[int] = kept.row[(kept.state == RunState.DONE) & (words == AMBIGUOUS)].tolist()
    return rows


def _read_rows(cells: Cells, seed_fields: tuple[Field, ...], reading: Reading) -> RunTable:
    """Return a table with every row that is a run or a step of one."""
    import numpy as np
    import pandas as pd

    arm = cells[Field.ARM]
    label = _labels(cells, seed_fields)
    seed = whole_numbers(label) if len(seed_fields) == 1 else no_numbers(label.index)
    streams = [_stream(cells, field, seed, seed_fields, reading.source) for field in STREAM_FIELDS]
    loss = read_numbers(cells[Field.LOSS], Field.LOSS, reading)
    state, cause = _outcomes(cells, loss, reading)
    step = cells.get(Field.STEP, pd.Series(math.nan, index=arm.index))
    table = RunTable(
        arm=arm,
        step=read_numbers(step, Field.STEP, reading),
        label=seed.astype("str").where(seed.notna(), label),  # `007` becomes `7`
        seed=seed,
        **{field.value: column for field, column in zip(STREAM_FIELDS, streams, strict=True)},
        loss=loss,
        state=state,
        cause=cause,
        row=(arm.index + 1).to_series(index=arm.index),
    )
    return table.take(np.arange(len(table)))


def _labels(cells: Cells, seed_fields: tuple[Field, ...]) -> pd.Series[Any]:
    """Return the text that tells runs of an arm apart: `3`, `1/2/2`, `run a1`, or None."""
    import pandas as pd

    if seed_fields:
        first, *others = [seed_labels(cells[field]) for field in seed_fields]
        labels = first
        for other in others:
            labels = labels + "/" + other
        blank = (labels == "") | (labels == "/" * len(others))
        return labels.mask(blank, None)
    if Field.RUN in cells:
        ids = cells[Field.RUN]
        return RUN_LABEL + ids.astype("str").where(ids.notna())
    return pd.Series(None, index=cells[Field.ARM].index, dtype=object)


def _stream(
    cells: Cells, field: Field, seed: pd.Series[Any], seed_fields: tuple[Field, ...], source: str
) -> pd.Series[Any]:
    """Return the seeds of one random stream: its own, else the seed of the run, else 0.

    A column `seed` beside those of streams stands for the first stream without one.
    """
    import pandas as pd

    if field in cells:
        return read_stream_seeds(cells[field], field, source)
    if seed_fields == (Field.SEED,):
        return seed.fillna(0)
    if Field.SEED in cells and field == next(each for each in FREE_FIRST if each not in cells):
        return seed_numbers(cells[Field.SEED])
    return pd.Series(0, index=seed.index)


def _outcomes(
    cells: Cells, losses: pd.Series[Any], reading: Reading
) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """Return state and cause of every row.

    A run that ended well without a loss failed, and one with a loss that is not finite diverged.
    """
    import pandas as pd

    from analysis.runs import MAX_LOSS

    status = cells.get(Field.STATUS)
    if status is None:
        states = pd.Series(RunState.DONE, index=losses.index, dtype=object)
        cause = pd.Series(None, index=losses.index, dtype=object)
    else:
        written = status.astype("str").where(status.notna(), "").str.strip()
        states = read_states(written, reading)
        cause = ("its status was " + written).where(states.isin([RunState.FAILED, NOT_ENDED]))
    missing = (states == RunState.DONE) & is_empty(cells[Field.LOSS])
    lost = (states == RunState.DONE) & ~missing & ~(losses.abs() <= MAX_LOSS)
    for rows, state in ((missing, RunState.FAILED), (lost, RunState.DIVERGED)):
        states = states.mask(rows, pd.Series(state, index=losses.index, dtype=object))
    cause = cause.mask(missing, NO_LOSS)
    return states, cause.where(~lost, losses[lost].map(lambda loss: f"its loss is {loss}"))


def _without_repeats(table: RunTable, reading: Reading) -> tuple[RunTable, RunTable]:
    """Keep one row per run; rows without a label are all runs. Returns the exact reruns, too.

    Raises ResultsError for two rows of a run that differ, unless they are reruns.
    """
    repeats = (table.label.notna() & _repeats(table.arm, table.label)).to_numpy()
    if reading.rules.reruns:
        return split_reruns(table, repeats, reading.source)
    if not repeats.any():
        return table, table.take(repeats.nonzero()[0])
    _check_agreement(table, reading.source)
    return table.take((~repeats).nonzero()[0]), table.take(repeats[:0].nonzero()[0])


def _check_agreement(table: RunTable, source: str) -> None:
    """Raise ResultsError if two rows give one run different outcomes."""
    distinct = ~_repeats(table.arm, table.label, table.loss, table.state) & table.label.notna()
    outcomes = table.take(distinct.to_numpy().nonzero()[0])
    conflict = _repeats(outcomes.arm, outcomes.label, keep=False)
    if not conflict.any():
        return
    first = int(conflict.argmax())
    same = (outcomes.arm == outcomes.arm[first]) & (outcomes.label == outcomes.label[first])
    second = int(same.to_numpy().nonzero()[0][1])
    raise ResultsError(
        f"{source}: rows {outcomes.row[first]} and {outcomes.row[second]} are both "
        f"{outcomes.describe(first)}, with {outcomes.outcome(first)} and "
        f"{outcomes.outcome(second)}; keep the right one, or say what tells runs apart: --column "
        "seed=COLUMN, or --column seed=- if no seed does, or --reruns if the later one is an exact rerun"
    )


def _repeats(*columns: pd.Series[Any], keep: Literal["first", False] = "first") -> pd.Series[Any]:
    """Return True for rows that repeat an earlier one, or any other one, in all these columns."""
    import pandas as pd

    return pd.concat(columns, axis=1, keys=range(len(columns))).duplicated(keep=keep)
