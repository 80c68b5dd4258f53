"""Figures as panels of marks on axes, independent of what draws them.

`svg` draws a figure for a page, `files` one for a file. Positions are in the units of the axes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Tone = Literal[
    "ink",
    "muted",
    "faint",
    "baseline",
    "arm",
    "better",
    "worse",
    "undecided",
    "negligible",
    "band",
    "rank1",
    "rank2",
    "rank3",
    "rank4",
    "rank5",
]
"""The role of a mark, which decides its colour: see `tones`."""
Shape = Literal["circle", "ring", "diamond", "square", "cross"]
Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A labelled position on an axis."""

    value: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The range of an axis. `low` is left or at the bottom, and may be the larger number."""

    low: float
    high: float
    ticks: Sequence[Tick]
    title: str = ""
    log: bool = False

    def fraction(self, value: float) -> float:
        """Where a value lies, from 0 at `low` to 1 at `high`; infinite values lie at an end."""
        if math.isinf(value):
            return 1.0 if (value > 0) == (self.high > self.low) else 0.0
        low, high, at = self.low, self.high, value
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(value)
        return (at - low) / (high - low)


@dataclass(frozen=True, kw_only=True)
class Dots:
    """Points with one shape and colour."""

    points: Sequence[Point]
    tone: Tone
    shape: Shape = "circle"
    radius: float = 3.0
    """In points of a page, 1/96 inch."""
    opacity: float = 1.0
    tips: Sequence[str] = ()
    """What each point is, shown when the reader points at it; empty for nothing."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line through points."""

    points: Sequence[Point]
    tone: Tone
    width: float = 1.5
    dashed: bool = False
    opacity: float = 1.0
    tip: str = ""


@dataclass(frozen=True, kw_only=True)
class Ribbon:
    """The area between two lines."""

    points: Sequence[tuple[float, float, float]]
    """Position on the x axis, lower and upper end."""
    tone: Tone
    opacity: float = 0.2


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A horizontal interval; an infinite end reaches the edge and has no cap."""

    y: float
    low: float
    high: float
    tone: Tone
    width: float = 2.0
    tip: str = ""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A horizontal bar from 0."""

    y: float
    length: float
    tone: Tone
    tip: str = ""


@dataclass(frozen=True, kw_only=True)
class Span:
    """A band across the whole panel, between two positions of one axis."""

    axis: Literal["x", "y"]
    low: float
    high: float
    tone: Tone = "band"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A straight line across the whole panel, at a position of one axis."""

    axis: Literal["x", "y"]
    value: float
    tone: Tone = "muted"
    dashed: bool = False


@dataclass(frozen=True, kw_only=True)
class Label:
    """A word beside a point."""

    at: Point
    text: str
    side: Literal["left", "right"] = "right"
    tone: Tone = "ink"


Mark: TypeAlias = Dots | Line | Ribbon | Interval | Bar | Span | Rule | Label


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Two axes and the marks between them."""

    x: Axis
    y: Axis
    marks: Sequence[Mark]
    height: float
    """In points of a page, 1/96 inch, between the axes."""
    title: str = ""
    has_rows: bool = False
    """True if the ticks of the y axis are names of rows, the first one on top."""
    notes: Sequence[str] = ()
    """A note at the right of each row, where there is room."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """An entry of the legend."""

    label: str
    tone: Tone
    shape: Shape | Literal["line", "dashes", "area"]
    is_small: bool = False
    """True for the sign of small points."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure: panels in a grid, a legend, and the text that replaces it."""

    title: str
    summary: str
    """What the figure shows, in sentences, for readers who cannot see it."""
    panels: Sequence[Panel]
    left_out: str = ""
    """Says what is not drawn for lack of room, for every reader; empty if all is drawn."""
    keys: Sequence[Key] = ()
    columns: int = 1
    narrow_columns: int = 1
    """Columns on a phone."""
    x_title: str = ""
    """For panels that share their axes: written once."""
    y_title: str = ""

    @property
    def shares_axes(self) -> bool:
        """True if tick labels are written only at the left and at the bottom of the grid."""
        return bool(self.x_title)


def row_axis(names: Sequence[str]) -> Axis:
    """The y axis of a panel with rows, the first one on top."""
    ticks = [Tick(value=float(place), label=name) for place, name in enumerate(names)]
    return Axis(low=len(names) - 0.5, high=-0.5, ticks=ticks)
