"""A search: the result of every trial, the best so far, and the importance of the fields."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeGuard

from analysis.pictures.figure import Bar, Dots, Figure, Key, Line, Mark, Panel, row_axis
from analysis.pictures.scale import linear_axis
from sweep.figures.source import Source
from sweep.metrics.metric import Direction
from sweep.searching.results import ArmSearch
from sweep.searching.trials import Outcome, Trial
from sweep.terminal.printable import harmless

HEIGHT = 220.0


def search(source: Source) -> Figure | None:
    """The history of a search; None if the study has none with a result."""
    result = source.tuning.result
    if result is None:
        return None
    arms = [arm for arm in result.arms if any(_is_finite(trial.value) for trial in arm.trials)]
    if not arms:
        return None
    panels = [panel for arm in arms for panel in _panels(arm)]
    return Figure(
        title="The search",
        summary=" ".join(map(_summary, arms)),
        panels=panels,
        keys=[
            Key(label="trial", tone="arm", shape="circle"),
            Key(label="pruned, failed or diverged", tone="muted", shape="cross"),
            Key(label="best so far", tone="ink", shape="line"),
        ],
        columns=2 if any(arm.importance for arm in arms) else 1,
    )


def _panels(arm: ArmSearch) -> Iterator[Panel]:
    found = [(trial, trial.value) for trial in arm.trials if _is_finite(trial.value)]
    values = [trial.value for trial in arm.trials if _is_finite(trial.value)]
    top = _limit(values, arm.direction)
    worse = min if arm.direction is Direction.MINIMIZE else max
    complete = [(float(trial.number), worse(value or 0.0, top)) for trial, value in found]
    others = [trial for trial in arm.trials if not _is_finite(trial.value)]
    marks: list[Mark] = [
        Dots(points=complete, tone="arm", tips=[_tip(trial) for trial, _ in found]),
        Dots(
            points=[(float(trial.number), top) for trial in others if trial.is_over],
            tone="muted",
            shape="cross",
            radius=3.5,
            tips=[_tip(trial) for trial in others if trial.is_over],
        ),
        Line(points=_best_line(arm), tone="ink", width=1.6, tip="best so far"),
    ]
    yield Panel(
        title=f"Trials of {harmless(arm.arm)}",
        x=linear_axis([0.0, *(float(trial.number) for trial in arm.trials)], "trial", whole=True),
        y=linear_axis([*(worse(each, top) for each in values), top], "mean result of a trial"),
        marks=marks,
        height=HEIGHT,
    )
    if arm.importance:
        yield _importance(arm.importance)


def _importance(shares: Mapping[str, float]) -> Panel:
    bars = [
        Bar(y=place, length=share, tone="arm", tip=f"{harmless(name)}: {share:.2f}")
        for place, (name, share) in enumerate(shares.items())
    ]
    return Panel(
        title="Importance of the fields",
        x=linear_axis([0.0, 1.0], "share of the differences"),
        y=row_axis([harmless(name) for name in shares]),
        marks=bars,
        height=HEIGHT,
        has_rows=True,
    )


def _is_finite(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _limit(values: Sequence[float], direction: Direction) -> float:
    """The worst result that is drawn at its place; outliers beyond it would flatten all others.

    Tukey's outer fence (1977, "Exploratory Data Analysis").
    """
    if direction is Direction.MAXIMIZE:
        return -_limit([-each for each in values], Direction.MINIMIZE)
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 4], ordered[(3 * len(ordered)) // 4]
    fence = high + 3 * (high - low)
    inside = [each for each in ordered if each <= fence]
    return inside[-1] + 0.05 * (inside[-1] - inside[0])


def _best_line(arm: ArmSearch) -> list[tuple[float, float]]:
    """Steps: a value holds until the next better trial."""
    points: list[tuple[float, float]] = []
    for trial, best in zip(arm.trials, arm.best_so_far, strict=True):
        if best is None:
            continue
        if points:
            points.append((float(trial.number), points[-1][1]))
        points.append((float(trial.number), best))
    return points


def _tip(trial: Trial) -> str:
    settings = ", ".join(
        f"{harmless(name)} {_value(value)}" for name, value in trial.values.items()
    )
    outcome = "diverged" if trial.outcome is Outcome.COMPLETE else trial.outcome.name.lower()
    result = f"{trial.value:.4f}" if _is_finite(trial.value) else outcome
    return f"trial {trial.number}: {result} ({settings})"


def _value(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else harmless(str(value))


def _summary(arm: ArmSearch) -> str:
    best = arm.ranked[0]
    return (
        f"Search for {harmless(arm.arm)}: {len(arm.ranked)} of {len(arm.trials)} trials are complete; the "
        f"best is {_tip(best)}."
    )
