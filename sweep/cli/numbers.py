"""Options that are numbers within a range, which help and errors say in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import typer

LARGEST_TOLD = 100_000
"""Upper limits above it only catch typing errors; help does not mention them."""


@dataclass(frozen=True)
class Range:
    """Parses a number from `low` to `high`."""

    kind: type[int | float]
    low: float
    high: float
    above_zero: bool = False
    """True if `low` stands for the smallest number above 0."""

    @property
    def __name__(self) -> str:
        """What typer shows for an option without a metavar."""
        return "N"

    def __str__(self) -> str:
        start = "above 0" if self.above_zero else f"at least {self.low:g}"
        return f"{start}, at most {self.high:,.0f}" if self.high <= LARGEST_TOLD else start

    def __call__(self, word: str) -> float:
        """The number. Raises typer.BadParameter with what is allowed."""
        noun = "a whole number" if self.kind is int else "a number"
        try:
            number = self.kind(word)
        except ValueError as error:
            raise typer.BadParameter(f"{word!r} is not {noun}; give one, {self}") from error
        if not self.low <= number <= self.high:  # also refuses nan
            raise typer.BadParameter(f"{word} is not allowed; give {noun}, {self}")
        return number


def number_option(allowed: Range, text: str, metavar: str = "N") -> Any:  # noqa: ANN401  (as typer.Option)
    """An option that takes a number; its help ends with the range."""
    return typer.Option(metavar=metavar, parser=allowed, help=f"{text} ({allowed}).")
