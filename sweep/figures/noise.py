"""The noise of a study: are losses normal, and how much do pairs cancel?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import TYPE_CHECKING

from analysis.pictures.figure import (
    Dots,
    Figure,
    Interval,
    Line,
    Mark,
    Panel,
    Shape,
    Tone,
    row_axis,
)
from analysis.pictures.scale import linear_axis, log_axis
from sweep.figures.source import Source
from sweep.figures.words import MAX_ROWS, left_out, unit_of
from sweep.terminal.printable import harmless
from sweep.verdicts.decimals import decimals

if TYPE_CHECKING:
    from analysis.normality import Normality

ROW_HEIGHT = 24.0
LEAST_HEIGHT = 200.0


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A standard deviation with its interval, in the unit of the metric."""

    name: str
    n: int
    sd: float
    low: float
    high: float
    tone: Tone


def noise(source: Source) -> Figure | None:
    """QQ plot of the baseline, and the spread of runs and of pairs; None below three runs."""
    from analysis.normality import normality

    baseline = source.losses.iloc[:, 0].dropna().tolist()
    found = normality(baseline)
    if found is None:
        return None
    every = spreads(source)
    drawn = every[:MAX_ROWS]
    height = max(ROW_HEIGHT * len(drawn), LEAST_HEIGHT)
    panels = [_qq(found, baseline, height, source), _spread_panel(drawn, height, source)]
    return Figure(
        title="Noise",
        summary=f"{_normal_words(found, len(baseline))} {_spread_words(drawn, source)}",
        left_out=left_out((len(every) - len(drawn), "arm")),
        panels=panels,
        columns=2,
    )


def spreads(source: Source) -> list[Spread]:
    """The spread of the baseline's runs, and of each arm's differences to it, if seeds pair."""
    baseline = source.report.arms[0].name
    found = [
        _spread(f"runs of {harmless(baseline)}", source.losses[baseline].dropna().tolist(), source)
    ]
    if source.report.pairs:
        found += [
            _spread(harmless(str(arm)), column.dropna().tolist(), source, "arm")
            for arm, column in source.differences.items()
        ]
    return [each for each in found if each is not None]


def _spread(
    name: str, values: Sequence[float], source: Source, tone: Tone = "baseline"
) -> Spread | None:
    from analysis.noise import sd_interval_factors

    if len(values) < 2 or (sd := stdev(values)) == 0:
        return None
    low, high = sd_interval_factors(len(values), source.report.analysis.alpha)
    return Spread(name=name, n=len(values), sd=sd, low=low * sd, high=high * sd, tone=tone)


def _qq(found: Normality, losses: Sequence[float], height: float, source: Source) -> Panel:
    mean, sd = sum(losses) / len(losses), stdev(losses)
    digits = decimals(source.report)
    ends = [found.points[0][0], found.points[-1][0]]
    reach = max(map(abs, ends))
    line = Line(points=[(at, mean + sd * at) for at in (-reach, reach)], tone="muted", width=1.0)
    dots = Dots(
        points=found.points,
        tone="baseline",
        radius=3.5,
        tips=[f"{loss:.{digits}f}" for _, loss in found.points],
    )
    values = [*losses, mean - sd * reach, mean + sd * reach]
    return Panel(
        title="Are the baseline's runs normal?",
        x=linear_axis([-reach, reach], "quantile of a normal distribution, sd"),
        y=linear_axis(values, harmless(source.report.metric.words)),
        marks=[line, dots],
        height=height,
    )


def _spread_panel(drawn: Sequence[Spread], height: float, source: Source) -> Panel:
    marks: list[Mark] = []
    for place, each in enumerate(drawn):
        tip = f"{each.name}: sd {each.sd:.2g} ({each.low:.2g} to {each.high:.2g}), {each.n} seeds"
        marks.append(Interval(y=place, low=each.low, high=each.high, tone=each.tone, tip=tip))
        shape: Shape = "square" if place == 0 else "circle"
        dot = Dots(points=[(each.sd, place)], tone=each.tone, shape=shape, radius=4, tips=[tip])
        marks.append(dot)
    ends = [end for each in drawn for end in (each.low, each.high)]
    return Panel(
        title="Spread of runs and of pairs",
        x=log_axis(ends, f"standard deviation over seeds, {unit_of(source.report.metric)}"),
        y=row_axis([each.name for each in drawn]),
        marks=marks,
        height=height,
        has_rows=True,
    )


def _normal_words(found: Normality, n: int) -> str:
    p = "" if found.p is None else f" (Shapiro and Wilk, p = {found.p:.2g})"
    return (
        f"Quantiles of {n} baseline runs lie on a straight line with a correlation of "
        f"{found.correlation:.3f}{p}."
    )


def _spread_words(drawn: Sequence[Spread], source: Source) -> str:
    told = "; ".join(f"{each.name} {each.sd:.2g}" for each in drawn)
    level = f"{100 * (1 - source.report.analysis.alpha):g}%"
    return f"Standard deviations with {level} intervals: {told}."
