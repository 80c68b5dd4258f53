"""Counted nouns for messages."""

from __future__ import annotations


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number and its noun: `1 run`, `1,200 runs`. `many` is an irregular plural."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
