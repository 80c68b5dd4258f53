"""Training curves of each arm beside the baseline's, absolute and as paired differences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.pictures.figure import Axis, Figure, Key, Line, Mark, Panel, Ribbon, Rule, Span, Tone
from analysis.pictures.scale import linear_axis
from sweep.figures.curve_data import Curve
from sweep.figures.source import Source
from sweep.figures.words import left_out, negligible_key, sign_of, unit_of
from sweep.metrics.metric import Direction
from sweep.terminal.printable import harmless

MAX_PANELS = 24
"""Arms that are drawn, the first ones."""
PANEL_HEIGHT = 110.0
COLUMNS, NARROW_COLUMNS = 3, 2
EARLY, EARLY_DIFFERENCE = 0.1, 0.4
"""Shares of the steps at the beginning that do not set the range of the y axis: curves and their
differences are far from their ends there."""
X_TITLE = "step"


def curves(source: Source) -> Figure | None:
    """The mean curve of each arm and of the baseline with the range over seeds."""
    baseline = source.report.arms[0].name
    of_baseline = source.curves.mean_curve(baseline)
    found = _found(source, (source.curves.mean_curve(arm) for arm in _arms(source)))
    if of_baseline is None:
        return None
    drawn = found[:MAX_PANELS]
    every = [of_baseline, *(curve for _, curve in drawn)]
    x, y = _x_axis(every), _y_axis(every, EARLY)
    panels = [
        _panel(harmless(arm), x, y, [*_layer(of_baseline, "baseline"), *_layer(curve, "arm")])
        for arm, curve in drawn
    ] or [_panel(harmless(baseline), x, y, _layer(of_baseline, "baseline"))]
    return Figure(
        title="Training curves",
        summary=f"Mean of {harmless(source.curves.title)} over {_seeds(every)} seeds in each arm; the area goes "
        f"from the smallest to the largest seed.{_merged(every)}{_ends(of_baseline, drawn, baseline)}",
        left_out=left_out((len(found) - len(drawn), "arm")),
        panels=panels,
        keys=[
            Key(label="baseline", tone="baseline", shape="line"),
            Key(label="arm", tone="arm", shape="line"),
        ],
        columns=COLUMNS,
        narrow_columns=NARROW_COLUMNS,
        x_title=X_TITLE,
        y_title=harmless(source.curves.title),
    )


def difference(source: Source) -> Figure | None:
    """The curve of each arm minus the baseline's with the same seed; None without pairs."""
    report, baseline = source.report, source.report.arms[0].name
    if not report.pairs:
        return None
    found = _found(source, (source.curves.difference(arm, baseline) for arm in _arms(source)))
    if not found:
        return None
    drawn = found[:MAX_PANELS]
    every = [curve for _, curve in drawn]
    has_effects = report.metric == source.curves.metric
    delta = source.smallest_effect if has_effects else 0.0
    ends = [report.arm(arm).effect or 0.0 for arm, _ in drawn] if has_effects else []
    x, y = _x_axis(every), _y_axis(every, EARLY_DIFFERENCE, [0.0, *ends], signed=True)
    panels = [
        _panel(
            harmless(arm),
            x,
            y,
            _difference_marks(source, arm, curve, delta, has_effect=has_effects),
        )
        for arm, curve in drawn
    ]
    return Figure(
        title="Difference to the baseline while training",
        summary=f"The {harmless(source.curves.title)} of an arm minus that of the baseline with the same "
        f"seed, over {_seeds(every)} seeds; the area goes from the smallest to the largest seed."
        f"{_merged(every)}",
        left_out=left_out((len(found) - len(drawn), "arm")),
        panels=panels,
        keys=_difference_keys(delta, has_effects=has_effects),
        columns=COLUMNS,
        narrow_columns=NARROW_COLUMNS,
        x_title=X_TITLE,
        y_title=f"arm − baseline, {unit_of(source.curves.metric)}  ({_better(source)})",
    )


def _difference_keys(delta: float, *, has_effects: bool) -> list[Key]:
    keys = [Key(label="mean of the paired differences", tone="muted", shape="line")]
    if has_effects:
        keys.append(Key(label="effect on the test result", tone="muted", shape="dashes"))
    if delta:
        keys.append(negligible_key(delta))
    return keys


def _better(source: Source) -> str:
    return "↓ better" if source.curves.metric.direction is Direction.MINIMIZE else "↑ better"


def _difference_marks(
    source: Source, arm: str, curve: Curve, delta: float, *, has_effect: bool
) -> list[Mark]:
    found = source.report.arm(arm)
    tone, _ = sign_of(found.result.verdict)
    marks: list[Mark] = [Span(axis="y", low=-delta, high=delta)] if delta else []
    marks.append(Rule(axis="y", value=0.0))
    if has_effect and found.effect is not None:
        marks.append(Rule(axis="y", value=found.effect, tone=tone, dashed=True))
    area = zip(curve.steps, curve.low, curve.high, strict=True)
    line = zip(curve.steps, curve.mean, strict=True)
    return [*marks, Ribbon(points=list(area), tone=tone), Line(points=list(line), tone=tone)]


def _arms(source: Source) -> list[str]:
    return [arm.name for arm in source.report.arms[1:]]


def _found(source: Source, curves: Iterable[Curve | None]) -> list[tuple[str, Curve]]:
    """The arms that have a curve."""
    pairs = zip(_arms(source), curves, strict=True)
    return [(arm, curve) for arm, curve in pairs if curve is not None]


def _layer(curve: Curve, tone: Tone) -> list[Mark]:
    area = list(zip(curve.steps, curve.low, curve.high, strict=True))
    line = list(zip(curve.steps, curve.mean, strict=True))
    return [Ribbon(points=area, tone=tone), Line(points=line, tone=tone)]


def _panel(title: str, x: Axis, y: Axis, marks: Sequence[Mark]) -> Panel:
    return Panel(x=x, y=y, marks=marks, height=PANEL_HEIGHT, title=title)


def _x_axis(every: Sequence[Curve]) -> Axis:
    return linear_axis(
        [0.0, *(step for curve in every for step in curve.steps)], ticks=3, whole=True
    )


def _y_axis(
    every: Sequence[Curve], early: float, further: Sequence[float] = (), *, signed: bool = False
) -> Axis:
    """The range of all curves without the `early` share of their steps."""
    values = list(further)
    for curve in every:
        first = int(len(curve.steps) * early)
        values += [*curve.low[first:], *curve.high[first:]]
    return linear_axis(values, ticks=4, signed=signed)


def _seeds(every: Sequence[Curve]) -> str:
    least, most = min(each.seeds for each in every), max(each.seeds for each in every)
    return str(least) if least == most else f"{least} to {most}"


def _merged(every: Sequence[Curve]) -> str:
    most = max(each.merged for each in every)
    return f" A point is the mean over {most} logged steps." if most > 1 else ""


def _ends(of_baseline: Curve, drawn: Sequence[tuple[str, Curve]], baseline: str) -> str:
    named = [(baseline, of_baseline), *drawn]
    told = [f"{harmless(arm)} {curve.mean[-1]:.4f}" for arm, curve in named]
    return f" At the end: {'; '.join(told)}."
