"""Guards: the change of each arm in another metric, and how much worse it may be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from analysis.pictures.figure import (
    Dots,
    Figure,
    Interval,
    Key,
    Mark,
    Panel,
    Rule,
    Shape,
    Tone,
    row_axis,
)
from analysis.pictures.scale import linear_axis
from sweep.figures.source import Source
from sweep.figures.words import MAX_ROWS, left_out
from sweep.metrics.bounds import change_text, worst_words
from sweep.terminal.printable import harmless
from sweep.verdicts.guards import Guard

if TYPE_CHECKING:
    from analysis.guards import GuardVerdict

ROW_HEIGHT = 28.0
SIGNS: Mapping[str, tuple[Tone, Shape]] = {
    "not worse": ("better", "diamond"),
    "worse": ("worse", "square"),
    "open": ("undecided", "ring"),
}


def guards(source: Source) -> Figure | None:
    """A panel for each guard with an answer; None without any."""
    found = [guard for guard in source.report.guards if _drawn(guard)]
    if not found:
        return None
    return Figure(
        title="Guards",
        summary=" ".join(map(_summary, found)),
        left_out=left_out((max(len(_answered(guard)) for guard in found) - MAX_ROWS, "arm")),
        panels=[_panel(guard) for guard in found],
        keys=[
            *(Key(label=state, tone=tone, shape=shape) for state, (tone, shape) in SIGNS.items()),
            Key(label="how much worse it may be", tone="worse", shape="dashes"),
        ],
    )


def _answered(guard: Guard) -> list[GuardVerdict]:
    return [each for each in guard.answers.values() if each.change is not None]


def _drawn(guard: Guard) -> list[GuardVerdict]:
    return _answered(guard)[:MAX_ROWS]


def _panel(guard: Guard) -> Panel:
    scale = 100.0 if guard.bound.is_relative else 1.0
    limit = scale * guard.bound.change
    marks: list[Mark] = [
        Rule(axis="x", value=0.0),
        Rule(axis="x", value=limit, tone="worse", dashed=True),
    ]
    values = [0.0, limit]
    answers = _drawn(guard)
    for place, each in enumerate(answers):
        tone, shape = SIGNS[each.state]
        change = scale * (each.change or 0.0)
        tip = f"{harmless(each.arm)}: {_shown(guard, each.change)}, {each.state}"
        if each.low is not None and each.high is not None:
            low, high = scale * each.low, scale * each.high
            marks.append(Interval(y=place, low=low, high=high, tone=tone, tip=tip))
            values += [end for end in (low, high) if math.isfinite(end)]
        dot = Dots(points=[(change, place)], tone=tone, shape=shape, radius=4.5, tips=[tip])
        marks.append(dot)
        values.append(change)
    unit = "%" if guard.bound.is_relative else harmless(guard.metric.unit)
    return Panel(
        title=f"{harmless(guard.metric.title)}: {worst_words(guard.bound)}",
        x=linear_axis(values, f"change{f', {unit}' if unit else ''}", ticks=6, signed=True),
        y=row_axis([harmless(each.arm) for each in answers]),
        marks=marks,
        height=ROW_HEIGHT * len(answers),
        has_rows=True,
        notes=[f"{_shown(guard, each.change)}, {each.state}" for each in answers],
    )


def _shown(guard: Guard, change: float | None) -> str:
    return change_text(guard.bound, change or 0.0).replace("-", "−")


def _summary(guard: Guard) -> str:
    told = [
        f"{harmless(each.arm)} {_shown(guard, each.change)}, {each.state}" for each in _drawn(guard)
    ]
    return f"{harmless(guard.metric.title)} may be {worst_words(guard.bound)}: {'; '.join(told)}."
