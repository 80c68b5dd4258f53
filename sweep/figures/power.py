"""The smallest effect that a number of seeds detects, by pairs and without them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.multiplicity import CORRECTIONS
from analysis.pictures.figure import Figure, Key, Line, Mark, Panel, Rule
from analysis.pictures.scale import linear_axis, log_axis
from sweep.figures.noise import Spread, spreads
from sweep.figures.source import Source
from sweep.figures.words import unit_of
from trainer.words import counted

LEAST_SEEDS = 20
"""The axis goes to at least that many seeds, and to twice those that are planned."""
MOST_POINTS = 60
"""Points of a line, about; there is always one at the planned seeds."""
HEIGHT = 260.0


def power(source: Source) -> Figure | None:
    """Power against seeds; None if no spread is known."""
    report = source.report
    known = spreads(source)
    if not known or len(report.arms) < 2:
        return None
    single, *pairs = known
    planned = len(report.seeds) or single.n
    counts = _counts(planned)
    level = CORRECTIONS[report.analysis.correction].level(
        report.analysis.alpha, report.judgement.family
    )
    paired = _paired(pairs, counts, level)
    unpaired = _unpaired(single, counts, level)
    lines: list[Mark] = [
        Line(points=line, tone="arm", width=0.9, opacity=0.5, tip=name) for name, line in paired
    ]
    median = paired[len(paired) // 2][1] if paired else []
    lines += [Line(points=median, tone="arm", width=2.6, tip="median arm")] if median else []
    lines.append(Line(points=unpaired, tone="baseline", width=2.2, dashed=True, tip="unpaired"))
    delta = source.smallest_effect
    values = [value for line in (*(each for _, each in paired), unpaired) for _, value in line]
    unit = unit_of(report.metric)
    rules: list[Mark] = [Rule(axis="x", value=planned, tone="muted")]
    rules += [Rule(axis="y", value=delta, tone="worse")] if delta else []
    panel = Panel(
        x=linear_axis(counts, "seeds per arm", ticks=8, whole=True),
        y=log_axis([*values, *([delta] if delta else [])], f"smallest effect detected, {unit}"),
        marks=[*rules, *lines],
        height=HEIGHT,
    )
    return Figure(
        title="Effects that can be detected",
        summary=_summary(planned, unpaired, median, level, unit),
        panels=[panel],
        keys=_keys(planned, delta, has_pairs=bool(paired)),
    )


def _counts(planned: int) -> list[int]:
    most = max(2 * planned, LEAST_SEEDS)
    step = -(-most // MOST_POINTS)
    return sorted({*range(2, most + 1, step), max(planned, 2)})


def _paired(
    pairs: Sequence[Spread], counts: Sequence[int], level: float
) -> list[tuple[str, list[tuple[float, float]]]]:
    """The lines of all arms, the arm with the least noise first."""
    from analysis.power import moderated_spread, smallest_visible_effect

    if not pairs:
        return []
    ordered = sorted(pairs, key=lambda each: each.sd)
    variances, df = [each.sd**2 for each in ordered], [each.n - 1 for each in ordered]
    lines: list[list[tuple[float, float]]] = [[] for _ in ordered]
    for seeds in counts:
        moderated, lent = moderated_spread(variances, df, seeds, len(ordered))
        for line, variance in zip(lines, moderated.tolist(), strict=True):
            effect = smallest_visible_effect(seeds, math.sqrt(variance), level, extra_df=lent)
            line.append((float(seeds), effect))
    return [(each.name, line) for each, line in zip(ordered, lines, strict=True)]


def _unpaired(single: Spread, counts: Sequence[int], level: float) -> list[tuple[float, float]]:
    from analysis.power import smallest_visible_effect_unpaired

    return [(float(n), smallest_visible_effect_unpaired(n, single.sd, level)) for n in counts]


def _keys(planned: int, delta: float, *, has_pairs: bool) -> list[Key]:
    keys = [Key(label="unpaired", tone="baseline", shape="dashes")]
    if has_pairs:
        keys = [Key(label="paired, each arm and the median one", tone="arm", shape="line"), *keys]
    keys.append(Key(label=f"{counted(planned, 'seed')}, as planned", tone="muted", shape="line"))
    if delta:
        keys.append(
            Key(label=f"smallest effect worth having, {delta:g}", tone="worse", shape="line")
        )
    return keys


def _summary(
    planned: int,
    unpaired: Sequence[tuple[float, float]],
    median: Sequence[tuple[float, float]],
    level: float,
    unit: str,
) -> str:
    alone, by_pairs = dict(unpaired).get(planned), dict(median).get(planned)
    start = (
        f"The effect that is detected with 80% power at a level of {level:.2g}, by seeds per arm."
    )
    if alone is None:
        return start
    told = f"{start} With {counted(planned, 'seed')}: {alone:.2g} {unit} without pairs"
    return f"{told}, {by_pairs:.2g} in the median arm with pairs." if by_pairs else f"{told}."
