"""Rows that are no runs: parents of nested runs, and statuses that are to be skipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweep.errors import ResultsError
from sweep.importing.cells import is_empty
from sweep.importing.fields import Field
from sweep.importing.rules import Rules
from sweep.importing.statuses import normal_words

if TYPE_CHECKING:
    import pandas as pd

Cells = Mapping[Field, "pd.Series[Any]"]
"""See `importing.columns.Chosen.cells`."""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """The cells of a file without the rows that are no runs, and these rows, counted from 1."""

    cells: Cells
    """Each keeps the index that it had in the file."""
    parents: Sequence[int]
    """Rows of runs that only hold other runs together."""
    skipped: Sequence[int]
    """Rows with a status that is to be skipped."""


def leave_out(cells: Cells, parents: pd.Series[Any] | None, rules: Rules, source: str) -> LeftOut:
    """Leave out rows that are no runs. `parents` has the id of each run's parent, if a file does.

    Raises ResultsError if no row is left.
    """
    index = cells[Field.ARM].index
    is_parent = _parents(cells, parents)
    is_skipped = _skipped(cells, rules) & ~is_parent
    kept = index[~(is_parent | is_skipped)]
    if not len(kept):
        raise ResultsError(f"{source}: every row is left out, and no run remains to be imported")
    return LeftOut(
        cells={field: column.loc[kept] for field, column in cells.items()},
        parents=(index[is_parent] + 1).tolist(),
        skipped=(index[is_skipped] + 1).tolist(),
    )


def _parents(cells: Cells, parents: pd.Series[Any] | None) -> pd.Series[Any]:
    """Return True for runs that are the parent of another one and have no loss of their own.

    A parent with a loss repeats that of its best child, so it counts only if no child has one.
    """
    lost = is_empty(cells[Field.LOSS])
    if parents is None or Field.RUN not in cells:
        return lost & False
    ids = cells[Field.RUN]
    with_loss = ids.isin(parents[~lost].dropna())
    return ids.notna() & ((lost & ids.isin(parents.dropna())) | with_loss)


def _skipped(cells: Cells, rules: Rules) -> pd.Series[Any]:
    words = [word for word, state in rules.statuses.items() if state is None]
    if not words or Field.STATUS not in cells:
        return is_empty(cells[Field.LOSS]) & False
    return normal_words(cells[Field.STATUS]).isin(words)
