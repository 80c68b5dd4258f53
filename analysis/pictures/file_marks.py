"""Draw the marks of a panel with matplotlib."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .figure import Bar, Dots, Interval, Label, Line, Mark, Ribbon, Rule, Shape, Span
from .tones import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS: Mapping[Shape, str] = {
    "circle": "o",
    "ring": "o",
    "diamond": "D",
    "square": "s",
    "cross": "x",
}
LINE_SCALE = 0.75
"""Points of 1/72 inch in one of 1/96 inch."""


def draw(axes: Axes, mark: Mark, scale: float) -> None:
    """Draw a mark of any type; `scale` is 1 for text of 9 points."""
    match mark:
        case Dots():
            _draw_dots(axes, mark, scale)
        case Line():
            style = "--" if mark.dashed else "-"
            x, y = [each for each, _ in mark.points], [each for _, each in mark.points]
            width = mark.width * LINE_SCALE * scale
            axes.plot(x, y, style, color=_hex(mark), linewidth=width, alpha=mark.opacity)
        case Ribbon():
            x, low, high = ([each[place] for each in mark.points] for place in range(3))
            axes.fill_between(x, low, high, color=_hex(mark), alpha=mark.opacity, linewidth=0)
        case Interval():
            _draw_interval(axes, mark, scale)
        case Bar():
            rows = abs(axes.get_ylim()[0] - axes.get_ylim()[1])
            axes.barh(mark.y, mark.length, height=min(0.5, 0.07 * rows), color=_hex(mark))
        case Span():
            shade = axes.axvspan if mark.axis == "x" else axes.axhspan
            shade(mark.low, mark.high, color=_hex(mark), zorder=0, linewidth=0)
        case Rule():
            rule = axes.axvline if mark.axis == "x" else axes.axhline
            style = "--" if mark.dashed else "-"
            rule(mark.value, color=_hex(mark), linestyle=style, linewidth=0.8 * scale, zorder=1)
        case Label():
            _draw_label(axes, mark)


def _hex(mark: Mark) -> str:
    return COLOURS[mark.tone].light


def _draw_dots(axes: Axes, mark: Dots, scale: float) -> None:
    colour = _hex(mark)
    axes.plot(
        [x for x, _ in mark.points],
        [y for _, y in mark.points],
        linestyle="",
        marker=MARKERS[mark.shape],
        color=colour,
        markerfacecolor="white" if mark.shape == "ring" else colour,
        markeredgewidth=1.0 * scale if mark.shape in {"ring", "cross"} else 0,
        markersize=2 * mark.radius * LINE_SCALE * scale,
        alpha=mark.opacity,
        zorder=3,
    )


def _draw_interval(axes: Axes, mark: Interval, scale: float) -> None:
    """The line, and a cap at each end that is inside the axes."""
    edges = axes.get_xlim()
    low, high = max(mark.low, edges[0]), min(mark.high, edges[1])
    width = mark.width * LINE_SCALE * scale
    axes.plot([low, high], [mark.y, mark.y], color=_hex(mark), linewidth=width, zorder=2)
    caps = [end for end in (mark.low, mark.high) if math.isfinite(end)]
    height = 6 * scale
    axes.plot(
        caps,
        [mark.y] * len(caps),
        linestyle="",
        marker="|",
        markersize=height,
        markeredgewidth=width,
        color=_hex(mark),
        zorder=2,
    )


def _draw_label(axes: Axes, mark: Label) -> None:
    dx, align = (4, "left") if mark.side == "right" else (-4, "right")
    axes.annotate(
        mark.text,
        mark.at,
        (dx, 0),
        textcoords="offset points",
        ha=align,
        va="center",
        color=_hex(mark),
    )
