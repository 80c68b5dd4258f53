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
    whole_numbers,
)
from sweep.importing.fields import SEED_FIELDS, STREAM_FIELDS, Field
from sweep.importing.run_table import RUN_LABEL, RunTable
from sweep.importing.statuses import read_states
from sweep.store.states import RunState
from sweep.terminal.printable import shown

if TYPE_CHECKING:
    import pandas as pd

Cells = Mapping[Field, "pd.Series[Any]"]
"""See `importing.columns.Chosen.cells`."""


@dataclass(frozen=True, kw_only=True)
class Runs:
    """The runs of a file, and what was noticed when they were read."""

    table: RunTable
    """In the order of the file."""
    seed_fields: tuple[Field, ...]
    """Seeds that runs pair by; empty if no runs pair."""
    repeated_rows: int
    """Rows that were left out because they repeat another one exactly."""
    rows_without_loss: Sequence[int]
    """Rows that count as diverged because their loss is missing or not finite."""


def read_runs(cells: Cells, source: str) -> Runs:
    """Check every row and keep one row per run; of several steps, the last with a loss.

    Raises ResultsError, naming row and value, for a loss that is not a number, an unknown status,
    an arm with an impossible name, and a run with two different losses.
    """
    seed_fields = tuple(field for field in SEED_FIELDS if field in cells)
    table = _read_rows(cells, seed_fields, source)
    if Field.STEP in cells:
        steps = read_numbers(cells[Field.STEP], Field.STEP, source)
        table = _last_steps(table, steps, is_empty(cells[Field.LOSS]), source)
    kept = _without_repeats(table, source)
    lost = (kept.state == RunState.DIVERGED) & kept.cause.notna()
    return Runs(
        table=kept,
        seed_fields=seed_fields,
        repeated_rows=len(table) - len(kept),
        rows_without_loss=kept.row[lost].tolist(),
    )


def _read_rows(cells: Cells, seed_fields: tuple[Field, ...], source: str) -> RunTable:
    """Return a table with every row of the file, steps included."""
    import pandas as pd

    arm = read_arms(cells[Field.ARM], source)
    label = _labels(cells, seed_fields)
    seed = whole_numbers(label) if len(seed_fields) == 1 else no_numbers(label.index)
    streams = [_stream(cells, field, seed, seed_fields, source) for field in STREAM_FIELDS]
    loss = read_numbers(cells[Field.LOSS], Field.LOSS, source)
    state, cause = _outcomes(cells.get(Field.STATUS), loss, source)
    return RunTable(
        arm=arm,
        label=seed.astype("str").where(seed.notna(), label),  # `007` becomes `7`
        seed=seed,
        **{field.value: column for field, column in zip(STREAM_FIELDS, streams, strict=True)},
        loss=loss,
        state=state,
        cause=cause,
        row=pd.Series(range(1, len(arm) + 1)),
    )


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
    """Return the seeds of one random stream: its own, else the seed of the run, else 0."""
    import pandas as pd

    if field in cells:
        return read_stream_seeds(cells[field], field, source)
    return seed.fillna(0) if seed_fields == (Field.SEED,) else pd.Series(0, index=seed.index)


def _outcomes(
    status: pd.Series[Any] | None, losses: pd.Series[Any], source: str
) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """Return state and cause of every row. A run that ended well without a loss has diverged."""
    import pandas as pd

    from analysis.runs import LARGEST_LOSS

    if status is None:
        states = pd.Series(RunState.DONE, index=losses.index, dtype=object)
        cause = pd.Series(None, index=losses.index, dtype=object)
    else:
        written = status.astype("str").where(status.notna(), "").str.strip()
        states = read_states(written, source)
        cause = ("its status was " + written).where(states == RunState.FAILED)
    lost = (states == RunState.DONE) & ~(losses.abs() <= LARGEST_LOSS)
    states = states.where(~lost, pd.Series(RunState.DIVERGED, index=losses.index, dtype=object))
    return states, cause.where(~lost, losses[lost].map(_lost_loss))


def _lost_loss(loss: float) -> str:
    return "it has no loss" if math.isnan(loss) else f"its loss is {loss}"


def _last_steps(
    table: RunTable, steps: pd.Series[Any], empty: pd.Series[Any], source: str
) -> RunTable:
    """Keep the last step of each run at which a loss was logged."""
    if steps.isna().any():
        raise ResultsError(f"{source}: row {steps.isna().argmax() + 1} has no step")
    label = table.label.fillna("")  # without seed or run, the rows of an arm are one run
    run = [table.arm, label]
    logged = ~empty | empty.groupby(run).transform("all")
    last = logged & (steps == steps.where(logged).groupby(run).transform("max"))
    _check_steps(table.arm[last], label[last], steps, source)
    return table.take(last.to_numpy().nonzero()[0])


def _check_steps(
    arm: pd.Series[Any], label: pd.Series[Any], steps: pd.Series[Any], source: str
) -> None:
    """Raise ResultsError if an arm without labels has its last step twice."""
    twice = (label == "") & _repeats(arm, label, keep=False)
    if twice.any():
        row = twice.index[int(twice.argmax())]
        raise ResultsError(
            f"{source}: arm {shown(arm[row])} has step {steps[row]:g} more than once, and "
            "nothing tells its runs apart; name the column that does: --column seed=COLUMN or "
            "--column run=COLUMN"
        )


def _without_repeats(table: RunTable, source: str) -> RunTable:
    """Keep one row per run; rows without a label are all runs. Raises ResultsError."""
    repeats = table.label.notna() & _repeats(table.arm, table.label)
    if not repeats.any():
        return table
    _check_agreement(table, source)
    return table.take((~repeats).to_numpy().nonzero()[0])


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
        f"{outcomes.outcome(second)}; keep the right one"
    )


def _repeats(*columns: pd.Series[Any], keep: Literal["first", False] = "first") -> pd.Series[Any]:
    """Return True for rows that repeat an earlier one, or any other one, in all these columns."""
    import pandas as pd

    return pd.concat(columns, axis=1, keys=range(len(columns))).duplicated(keep=keep)
