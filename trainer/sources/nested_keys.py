"""Names such as `meta.text`: the field `text` of the objects in `meta`, or a name with a dot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MISSING = object()
"""Stands for the value of a name that an object does not have."""


def ways_to_split(name: str) -> Iterator[tuple[str, str]]:
    """`("a.b", "")`, then `("a", "b")`: a name with a dot comes before a field of an object."""
    yield name, ""
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        yield ".".join(parts[:end]), ".".join(parts[end:])


def value_of(row: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401  (JSON)
    """The value of a name in an object, or in the objects within; MISSING if there is none."""
    if name in row or "." not in name:
        return row.get(name, MISSING)
    for head, rest in ways_to_split(name):
        value = row.get(head, MISSING)
        if rest and isinstance(value, Mapping):
            below = value_of(value, rest)
            if below is not MISSING:
                return below
    return MISSING


def names_in(row: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """The names of all values of an object, those within objects with their path."""
    for key, value in row.items():
        yield f"{before}{key}"
        if isinstance(value, Mapping):
            yield from names_in(value, f"{before}{key}.")
