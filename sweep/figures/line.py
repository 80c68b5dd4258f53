"""One curve over the steps of training: of a run, or of an arm minus the baseline."""

from __future__ import annotations

import math
from collections.abc import Iterable

from analysis.pictures.figure import Figure, Line, Mark, Panel, Rule
from analysis.pictures.scale import linear_axis

MAX_POINTS = 400
"""Points that are drawn, about."""
HEIGHT = 240.0


def line_figure(
    points: Iterable[tuple[float, float | None]], title: str, words: str, *, signed: bool = False
) -> Figure | None:
    """The curve through the points (step, value) that are finite; None for fewer than two.

    `words` are the title of the vertical axis. `signed`: the values are differences, and zero is
    marked.
    """
    known = {step: value for step, value in points if value is not None and math.isfinite(value)}
    if len(known) < 2:
        return None
    steps = sorted(known)
    shown = [*steps[: -1 : max(len(steps) // MAX_POINTS, 1)], steps[-1]]
    first, last = known[steps[0]], known[steps[-1]]
    marks: list[Mark] = [Rule(axis="y", value=0.0)] if signed else []
    line = Line(points=[(float(step), known[step]) for step in shown], tone="arm")
    return Figure(
        title=title,
        summary=f"From {first:.4f} at step {steps[0]:g} to {last:.4f} at step {steps[-1]:g}.",
        panels=[
            Panel(
                x=linear_axis(map(float, steps), "step", whole=True),
                y=linear_axis([*known.values(), *([0.0] if signed else [])], words, signed=signed),
                marks=[*marks, line],
                height=HEIGHT,
            )
        ],
    )
