"""The columns of each table of the database, from the schema."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Integer, Table

from docs.tools.markdown import table
from sweep.store.schema import metadata

KINDS = {
    JSON: "JSON",
    Boolean: "0 or 1",
    BigInteger: "whole number",
    Integer: "whole number",
    Float: "number",
}
"""Words for the type of a column; every other type is text."""


def tables() -> dict[str, Table]:
    """All tables by name."""
    return dict(metadata.tables)


def columns_of_table(name: str) -> str:
    """A table of the columns of one. Raises KeyError for an unknown one."""
    return table(
        ("column", "type", "meaning"),
        [
            (f"`{column.name}`", _kind(column), _meaning(column))
            for column in tables()[name].columns
        ],
    )


def _kind(column: Column[Any]) -> str:
    for kind, words in KINDS.items():
        if isinstance(column.type, kind):
            return words
    return "text"


def _meaning(column: Column[Any]) -> str:
    """Its comment, the column that it refers to, and whether it is part of the key."""
    words = [column.comment] if column.comment else []
    words += [f"refers to `{key.target_fullname}`" for key in column.foreign_keys]
    if column.primary_key:
        words.append("part of the key" if len(column.table.primary_key.columns) > 1 else "the key")
    return "; ".join(words)
