"""A race: the interval of each arm narrows with the seeds, until the arm is decided and leaves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.pictures.figure import (
    Axis,
    Dots,
    Figure,
    Key,
    Line,
    Mark,
    Panel,
    Ribbon,
    Rule,
    Span,
)
from analysis.pictures.scale import linear_axis
from sweep.figures.source import Source
from sweep.figures.words import (
    left_out,
    negligible_key,
    shown_effect,
    sign_of,
    unit_of,
    verdict_keys,
)
from sweep.metrics.metric import Direction
from sweep.terminal.printable import harmless
from sweep.verdicts.decimals import decimals
from trainer.words import counted

if TYPE_CHECKING:
    from analysis.arm_verdict import ArmVerdict
    from analysis.race import Standing

MAX_PANELS = 24
"""Arms that are drawn, the first ones."""
PANEL_HEIGHT = 110.0
COLUMNS, NARROW_COLUMNS = 3, 2
RACING = sign_of("undecided")
"""Colour and shape of an arm that is still in the race."""
RACING_KEY = Key(label="still in the race", tone=RACING[0], shape="line")


@dataclass(frozen=True, kw_only=True)
class Course:
    """An arm at each look of a race, until it left."""

    arm: str
    looks: Sequence[tuple[int, ArmVerdict]]
    """Seeds and the row of the arm, at looks where it had an effect; at least one."""
    has_left: bool

    @property
    def last(self) -> ArmVerdict:
        """The row of the last look."""
        return self.looks[-1][1]

    def words(self, digits: int) -> str:
        """`better after 4 seeds, −0.05  [−0.08 to −0.02]`, for people."""
        seeds, row = self.looks[-1]
        effect = shown_effect(row.effect or 0.0, row.ci_low_adjusted, row.ci_high_adjusted, digits)
        racing = "" if self.has_left else ", still in the race"
        return f"{row.verdict or 'no verdict'} after {counted(seeds, 'seed')}{racing}, {effect}"


def race(source: Source) -> Figure | None:
    """A panel for each arm; None if the study is no race, or has had no look yet."""
    standing, report = source.standing, source.report
    if standing is None:
        return None
    arms = [arm.name for arm in report.arms[1:] if arm.name not in report.plan.budgets]
    courses = list(_courses(standing, arms))
    if not courses:
        return None
    drawn, delta, digits = courses[:MAX_PANELS], source.smallest_effect, decimals(report)
    x = linear_axis(
        [1.0, *(float(n) for each in drawn for n, _ in each.looks)], ticks=4, whole=True
    )
    y = linear_axis(_extent(drawn, delta), ticks=4, signed=True)
    verdicts = [each.last.verdict for each in drawn if each.has_left]
    better = "↓ better" if report.direction is Direction.MINIMIZE else "↑ better"
    return Figure(
        title="The race",
        summary=_summary(drawn, digits),
        left_out=left_out((len(courses) - len(drawn), "arm")),
        panels=[_panel(each, x, y, delta, digits) for each in drawn],
        keys=[
            Key(label="interval at each look", tone="muted", shape="area"),
            *verdict_keys(verdicts),
            *([] if len(verdicts) == len(drawn) else [RACING_KEY]),
            *([negligible_key(delta)] if delta else []),
        ],
        columns=COLUMNS,
        narrow_columns=NARROW_COLUMNS,
        x_title="seeds",
        y_title=f"arm − baseline, {unit_of(report.metric)}  ({better})",
    )


def _courses(standing: Standing, arms: Iterable[str]) -> Iterable[Course]:
    """The arms that had an effect at a look; not those that a fixed sample decided before."""
    for arm in arms:
        rows = [(look.seeds, look.arms[arm]) for look in standing.looks if arm in look.arms]
        looks = [(seeds, row) for seeds, row in rows if row.effect is not None]
        if looks:
            yield Course(arm=arm, looks=looks, has_left=arm in standing.left)


def _panel(course: Course, x: Axis, y: Axis, delta: float, digits: int) -> Panel:
    tone, shape = sign_of(course.last.verdict) if course.has_left else RACING
    tip = f"{harmless(course.arm)}: {course.words(digits)}"
    means = [(float(seeds), row.effect or 0.0) for seeds, row in course.looks]
    edges = y.low - (y.high - y.low), y.high + (y.high - y.low)  # beyond the panel
    area = [
        (float(seeds), max(row.ci_low_adjusted, edges[0]), min(row.ci_high_adjusted, edges[1]))
        for seeds, row in course.looks
        if row.ci_low_adjusted is not None and row.ci_high_adjusted is not None
    ]
    marks: list[Mark] = [Span(axis="y", low=-delta, high=delta)] if delta else []
    marks += [Rule(axis="y", value=0.0), Ribbon(points=area, tone=tone)]
    marks.append(Line(points=means, tone=tone, tip=tip))
    if course.has_left:
        marks.append(Rule(axis="x", value=means[-1][0], dashed=True))
        marks += [
            Line(points=[(at, low), (at, high)], tone=tone, width=2.5)
            for at, low, high in area[-1:]
        ]
        marks.append(Dots(points=means[-1:], tone=tone, shape=shape, radius=4.5, tips=[tip]))
    return Panel(x=x, y=y, marks=marks, height=PANEL_HEIGHT, title=harmless(course.arm))


def _extent(drawn: Sequence[Course], delta: float) -> list[float]:
    """What the y axis holds: the effects, and the intervals of last looks unless they are far out."""
    core = [0.0, -delta, delta, *(row.effect or 0.0 for each in drawn for _, row in each.looks)]
    room = (max(core) - min(core)) or 1.0
    low, high = min(core) - room, max(core) + room
    ends = [
        end
        for each in drawn
        for end in (each.last.ci_low_adjusted, each.last.ci_high_adjusted)
        if end is not None and math.isfinite(end)
    ]
    return [*core, *(min(max(end, low), high) for end in ends)]


def _summary(drawn: Sequence[Course], digits: int) -> str:
    told = (f"{harmless(each.arm)} {each.words(digits)}" for each in drawn)
    return f"Effect and adjusted interval of each arm at its last look: {'; '.join(told)}."
