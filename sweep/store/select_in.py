"""Query for any number of values, although one statement takes a limited number of parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select

VALUES_PER_STATEMENT = 500


def select_in(
    connection: Connection, query: Select[Any], column: ColumnElement[Any], values: Sequence[Any]
) -> Iterator[RowMapping]:
    """Yield the rows of `query` in which `column` is one of `values`."""
    for first in range(0, len(values), VALUES_PER_STATEMENT):
        some = query.where(column.in_(values[first : first + VALUES_PER_STATEMENT]))
        yield from connection.execute(some).mappings()
