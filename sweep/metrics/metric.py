"""A number by which runs are judged."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Direction(Enum):
    """Which values are better."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric and the words for it."""

    name: str
    """Its name in files and options."""
    title: str
    """Its name in a sentence."""
    unit: str
    direction: Direction

    @property
    def better(self) -> str:
        """The sign of an effect that improves it: `negative` or `positive`."""
        return "negative" if self.direction is Direction.MINIMIZE else "positive"
