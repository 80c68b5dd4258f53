"""A query for as many values as there may be: a statement takes a limited number of parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select

SLICE = 500
"""Values that a statement is given at once."""


def select_in(
    connection: Connection, query: Select[Any], column: ColumnElement[Any], values: Sequence[Any]
) -> Iterator[RowMapping]:
    """The rows of `query` whose `column` is one of `values`."""
    for first in range(0, len(values), SLICE):
        some = query.where(column.in_(values[first : first + SLICE]))
        yield from connection.execute(some).mappings()
