"""Counted nouns and shortened lists for messages."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number and its noun: `1 run`, `1,200 runs`. `many` is an irregular plural."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def capitalized(text: str) -> str:
    """A text whose first letter is a capital; the others stay as they are."""
    return f"{text[:1].upper()}{text[1:]}"


def shortened(words: Sequence[str], most: int) -> str:
    """The first words, with an ellipsis if there are more: `a, b, …`."""
    return ", ".join([*words[:most], *(["…"] if len(words) > most else [])])


def with_rest(words: Sequence[str], most: int) -> list[str]:
    """The first words, and how many more there are: `["a", "b", "and 4 more"]`."""
    rest = len(words) - most
    return [*words[:most], *([f"and {rest} more"] if rest > 0 else [])]
