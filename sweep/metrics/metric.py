"""A metric: a number by which runs are compared."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Direction(Enum):
    """The direction in which a metric improves."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric with its names and unit."""

    name: str
    """Its name in files and options."""
    title: str
    """Its name in a sentence."""
    unit: str
    direction: Direction

    @property
    def better(self) -> str:
        """Sign of an effect that is an improvement: `negative` or `positive`."""
        return "negative" if self.direction is Direction.MINIMIZE else "positive"
