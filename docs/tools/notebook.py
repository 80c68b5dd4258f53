"""The columns of each table for notebooks."""

from __future__ import annotations

from docs.tools.markdown import table
from sweep.notebook.columns import TABLES


def columns_of_function(name: str) -> str:
    """A table of the columns that `sweep.NAME` returns. Raises KeyError for an unknown one."""
    rows = [(f"`{column}`", kind, text) for column, (kind, text) in TABLES[name].items()]
    return table(("column", "type", "meaning"), rows)
