"""A metric: a number by which runs are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Direction(Enum):
    """The direction in which a metric improves."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"

    @property
    def better(self) -> str:
        """Sign of an effect that is an improvement: `negative` or `positive`."""
        return "negative" if self is Direction.MINIMIZE else "positive"

    @property
    def words(self) -> str:
        """`lower is better` or `higher is better`."""
        return f"{'lower' if self is Direction.MINIMIZE else 'higher'} is better"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric with its names and unit."""

    name: str
    """Its name in files and options."""
    title: str
    """Its name in a sentence."""
    unit: str
    """Empty if it has none or it is not known."""
    direction: Direction
    smallest_effect: float = 0.0
    """Smaller effects do not matter; 0: every effect does."""
    is_exact: bool = False
    """True if runs do not vary in it: one run of each arm says all."""

    @property
    def json(self) -> dict[str, Any]:
        """Its fields, as a plan has them; without those that are not set."""
        fields = {
            "title": self.title if self.title != self.name else "",
            "unit": self.unit,
            "smallest_effect": self.smallest_effect,
        }
        given = {key: value for key, value in fields.items() if value}
        return {"direction": self.direction.value, **given}

    @classmethod
    def from_json(cls, name: str, json: Mapping[str, Any]) -> Metric:
        """Read what `json` has written."""
        return cls(
            name=name,
            title=json.get("title", name),
            unit=json.get("unit", ""),
            direction=Direction(json["direction"]),
            smallest_effect=json.get("smallest_effect", 0.0),
        )

    @property
    def words(self) -> str:
        """Its title with its unit: `test loss, nats per token`."""
        return f"{self.title}, {self.unit}" if self.unit else self.title
