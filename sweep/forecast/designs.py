"""The design of a plan, and what other designs of the same interventions would take and show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb, prod

from analysis.multiplicity import CORRECTIONS
from sweep.design.combinations import MAX_ARMS
from sweep.design.factors import Factor, find_factors
from sweep.design.fractional import FEWEST_FACTORS, choose_fraction, possible_fractions
from sweep.design.fractions import LETTERS, MAX_FACTORS, Fraction
from sweep.design.plan import Plan
from sweep.forecast.outline import Outline
from sweep.forecast.power import Power
from sweep.forecast.price import Price
from sweep.noise.measure import finite
from sweep.study.design_section import DEFAULT_KIND
from trainer.words import counted

MOST_RUNS = 128
"""Maximum number of arms of a fraction that is offered."""


@dataclass(frozen=True)
class DesignMatrix:
    """The arms of a plan as levels of its factors."""

    plan: Plan

    @cached_property
    def factors(self) -> list[Factor]:
        """The factors, in the order of the study file."""
        return find_factors(self.plan.study)

    @cached_property
    def fraction(self) -> Fraction | None:
        """The fraction, for that kind of design."""
        if self.plan.study.design.kind != "fractional":
            return None
        found = choose_fraction(self.plan.study, self.factors)
        return found if isinstance(found, Fraction) else None

    @cached_property
    def rows(self) -> list[tuple[str, list[int]]]:
        """Each arm with its level of every factor; 0 is the baseline's."""
        arms = [arm for arm in self.plan.arms if arm.interventions or arm is self.plan.arms[0]]
        return [
            (arm.name, [_level(each, arm.interventions) for each in self.factors]) for arm in arms
        ]

    @property
    def letters(self) -> str:
        """A letter for each factor."""
        return LETTERS[: len(self.factors)]


@dataclass(frozen=True, kw_only=True)
class DesignOption:
    """A design of the plan's interventions, with the plan's seeds."""

    kind: str
    resolution: int | None
    """The resolution of a fraction; None for other designs."""
    arms: int
    runs: int
    hours: float | None
    """Training and evaluation, summed over all runs, if every run takes as long as the average one;
    None if unknown, as before the first run of a script."""
    effect: float | None
    """The smallest effect of one intervention that is detected with 80% power; None if unknown, or
    if none is."""
    measures: str
    """Its effects in words."""
    chosen: bool
    """True for the plan's own."""


def matrix_of(plan: Plan) -> DesignMatrix | None:
    """The design of a plan that combines interventions; None for others."""
    if plan.design_content() is None or len(find_factors(plan.study)) > len(LETTERS):
        return None
    return DesignMatrix(plan)


def compare_designs(outline: Outline, price: Price) -> list[DesignOption]:
    """The designs that the interventions of a plan allow; empty for fewer than two factors.

    The smallest effect is that of the median arm's noise; an average over n runs of a factorial has
    2/n of the variance of a paired difference, if the noise of arms is independent once the seeds
    are shared.
    """
    factors = find_factors(outline.plan.study)
    if len(factors) < 2 or outline.plan.stack:
        return []
    seconds = [price.pace.seconds(cost) for cost in outline.costs.values()]
    per_run = sum(seconds) / len(seconds)
    seeds = len(outline.plan.seeds)
    kind, own = outline.plan.study.design.kind, len(outline.plan.compared) + 1
    return [
        DesignOption(
            kind=each.kind,
            resolution=each.resolution,
            arms=each.arms,
            runs=each.arms * seeds,
            hours=None if math.isnan(per_run) else each.arms * seeds * per_run / 3600,
            effect=_visible(outline.power, each, seeds),
            measures=each.measures,
            chosen=each.kind == kind and each.arms == own,
        )
        for each in _layouts(factors)
    ]


@dataclass(frozen=True, kw_only=True)
class _Layout:
    kind: str
    arms: int
    questions: int
    share: float
    """Variance of an effect, relative to that of a paired difference."""
    measures: str
    resolution: int | None = None


def _layouts(factors: Sequence[Factor]) -> Iterator[_Layout]:
    counts = [len(factor.levels) for factor in factors]
    k, levels = len(factors), sum(counts)
    alone = "each change alone"
    yield _Layout(kind=DEFAULT_KIND, arms=levels + 1, questions=levels, share=1, measures=alone)
    if levels == k:
        measures = "each change beside all others"
        yield _Layout(kind="leave-one-out", arms=k + 2, questions=k, share=1, measures=measures)
    pairs = (levels**2 - sum(count**2 for count in counts)) // 2
    measures = f"each change alone, and {counted(pairs, 'interaction')} of two"
    yield _Layout(
        kind="pairs", arms=1 + levels + pairs, questions=levels + pairs, share=1, measures=measures
    )
    if levels == k:
        yield from _fractions(k)
    arms = prod(count + 1 for count in counts)
    if arms <= MAX_ARMS:
        yield _Layout(
            kind="factorial",
            arms=arms,
            questions=levels,
            share=_share(arms, max(counts)),
            measures="averages over all others, and every interaction",
        )


def _share(arms: int, most_levels: int) -> float:
    """The share of a level against the first one: arms / (levels + 1) arms have each of them."""
    return (most_levels + 1) / arms


def _fractions(k: int) -> Iterator[_Layout]:
    if not FEWEST_FACTORS <= k <= MAX_FACTORS:
        return
    for fraction in possible_fractions(k):
        if fraction.runs > MOST_RUNS:
            return
        clear = {
            3: "averages over all others, mistaken for interactions of two",
            4: f"averages over all others; {comb(k, 2)} interactions of two, mistaken for each other",
        }.get(
            fraction.resolution, f"averages over all others, and {comb(k, 2)} interactions of two"
        )
        yield _Layout(
            kind="fractional",
            arms=fraction.runs,
            questions=k,
            share=_share(fraction.runs, 1),
            measures=clear,
            resolution=fraction.resolution,
        )
        if fraction.resolution >= 5:
            return


def _visible(power: Power | None, layout: _Layout, seeds: int) -> float | None:
    if power is None or seeds < 2:
        return None
    from analysis.power import smallest_visible_effect

    settings = power.plan.study.analysis
    level = CORRECTIONS[settings.correction].level(settings.alpha, layout.questions)
    known = sorted(each.sd for each in power.noise.paired)
    sd = known[len(known) // 2] if known else math.sqrt(2) * power.noise.sd
    return finite(smallest_visible_effect(seeds, sd * math.sqrt(layout.share), level))


def _level(factor: Factor, interventions: Sequence[str]) -> int:
    return next((n for n, level in enumerate(factor.levels, 1) if level in interventions), 0)
