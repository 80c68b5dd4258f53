"""Numbers of things in words."""

from __future__ import annotations


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number and its noun: `1 run`, `1,200 runs`; `many` for other plurals, and with a verb."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
