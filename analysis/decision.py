"""Decide the verdicts on a study; find those that depend on the statistical method."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .comparison import Comparison
from .effects import Estimate
from .multiplicity import adjust, levels
from .rules import Plan

Verdict = Literal["better", "worse", "negligible", "undecided", "unstable", "identical"]
Leaning = Literal["better", "worse"]
Instability = Literal["more often", "every run", "rank test"]
"""Why an arm is unstable: it diverges more often than the baseline, all its runs diverged and none
of the baseline's, or the verdict in its favour does not hold if diverged runs count as the worst."""
Floats = NDArray[np.float64]
Judged = tuple[Estimate | None, float]
"""An estimate and the p-value that decides; NaN if there is none."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An interval of an effect, nats; its coverage is 1 - level."""

    low: float
    high: float
    level: float


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The test of one claim about one arm; its p-values are NaN where there is no test."""

    p: float
    p_adjusted: float
    level: float
    """The level at which the correction tested it: p is below it if `p_adjusted` is below alpha."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the tests of a whole study say about one arm."""

    differs: Claim
    """The effect is not zero."""
    negligible: Claim
    """The effect is inside +-delta."""
    verdict: Verdict
    """"undecided" without a test."""
    interval: Interval | None
    """The interval that the verdict uses; None without an estimate."""
    looks: Leaning | None
    """For a single run, which is no test: the verdict that its p would give."""


def decide(judged: Sequence[Judged], plan: Plan) -> list[Decision]:
    """Decide on all arms of a study, in the plan's order.

    There are two claims about an arm, that it differs from the baseline and that it is negligible.
    Each is adjusted over the whole family, so that the errors of either kind are held at alpha.
    A single run is undecided; see `Decision.looks`.
    """
    within = [
        math.nan if estimate is None or math.isnan(p) else estimate.p_within(plan.smallest_effect)
        for estimate, p in _tests(judged)
    ]
    claims = _differences(judged, plan), make_claims(within, plan)
    return [_decision(*row, plan) for row in zip(judged, *claims, strict=True)]


def _tests(judged: Sequence[Judged]) -> list[Judged]:
    """What was judged, without the p of single runs: they are no tests."""
    return [
        (estimate, p if estimate is None or estimate.is_test else math.nan)
        for estimate, p in judged
    ]


def _differences(judged: Sequence[Judged], plan: Plan) -> list[Claim]:
    """Claims that effects are not zero. For tests, single runs count as a p of 1."""
    tests = make_claims([p for _, p in _tests(judged)], plan)
    if all(estimate is None or estimate.is_test for estimate, _ in judged):
        return tests
    every = make_claims([p for _, p in judged], plan)
    return [
        alone if math.isnan(alone.p) == math.isnan(together.p) else together
        for alone, together in zip(tests, every, strict=True)
    ]


def _decision(judged: Judged, differs: Claim, negligible: Claim, plan: Plan) -> Decision:
    """The decision on one arm. Equivalence is first: a significant effect may be negligible."""
    estimate, _ = judged
    verdict, level, look = _verdict(judged, differs, negligible, plan)
    return Decision(
        differs=differs,
        negligible=negligible,
        verdict=verdict,
        interval=None if estimate is None else _interval(estimate, level),
        looks=look,
    )


def _verdict(
    judged: Judged, differs: Claim, negligible: Claim, plan: Plan
) -> tuple[Verdict, float, Leaning | None]:
    """The verdict, the level of its interval, and for a single run how it looks."""
    estimate, _ = judged
    if negligible.p_adjusted < plan.alpha:
        return "negligible", 2 * negligible.level, None  # two tests, of one side each
    if estimate is None or not differs.p_adjusted < plan.alpha:
        return "undecided", differs.level, None
    gain = estimate.effect if plan.higher_is_better else -estimate.effect
    look: Leaning = "better" if gain > 0 else "worse"
    if estimate.is_test:
        return look, differs.level, None
    return "undecided", differs.level, look


def _interval(estimate: Estimate, level: float) -> Interval:
    low, high = estimate.interval(level)
    return Interval(low=low, high=high, level=level)


def make_claims(p_values: Sequence[float], plan: Plan) -> list[Claim]:
    """One claim about each arm, in the plan's order, adjusted over the family by its correction.

    Arms outside the family keep their own p and are tested at alpha.
    """
    p = np.array(p_values, float)
    inside = np.array([arm not in plan.outside_family for arm in plan.arms], bool)
    adjusted, tested_at = p.copy(), np.full(p.shape, plan.alpha)
    if inside.any():
        adjusted[inside] = adjust(p[inside], plan.correction, plan.questions)
        tested_at[inside] = levels(p[inside], plan.correction, plan.alpha, plan.questions)
    rows = zip(p.tolist(), adjusted.tolist(), tested_at.tolist(), strict=True)
    return [Claim(p=own, p_adjusted=among, level=level) for own, among, level in rows]


def depends_on_method(
    comparisons: Sequence[Comparison], judged: Sequence[Judged], plan: Plan
) -> list[bool]:
    """For each arm: true if another method, used for the whole study, gives another verdict.

    Methods are compared only where they could agree with the default:

    - the plain paired t, for arms that were judged by pairs;
    - the sign-flip permutation test (with the default's interval for equivalence), if its smallest
      possible p, 2 / 2^n, is below the correction's strictest level; five seeds reach only 0.0625;
    - Welch's t, if it is at least as precise as the default or reaches a decision. Where pairing
      removes noise, Welch's t is expected to be undecided: no reason to doubt the verdict.
    """
    defaults = _verdicts(judged, plan)
    sensitive = np.zeros(len(defaults), bool)
    for method in (_plain, _welch, _permutation):
        others = [method(c, j, plan) for c, j in zip(comparisons, judged, strict=True)]
        rows = zip(judged, others, defaults, _verdicts(others, plan), strict=True)
        sensitive |= np.array([_contradicts(*row) for row in rows], bool)
    return [bool(each) for each in sensitive]


def _contradicts(
    judged: Judged, other: Judged, default: Verdict | None, verdict: Verdict | None
) -> bool:
    """True if the other method is decided or at least as precise, and its verdict is different."""
    if verdict == default or judged[0] is None or other[0] is None:
        return False
    return verdict != "undecided" or other[0].standard_error <= judged[0].standard_error


def _plain(comparison: Comparison, judged: Judged, _: Plan) -> Judged:
    estimate = comparison.paired
    return judged if estimate is None or np.isnan(judged[1]) else (estimate, estimate.p)


def _welch(comparison: Comparison, judged: Judged, _: Plan) -> Judged:
    default, other = judged[0], comparison.welch
    if other is None or default is None or not default.is_paired or np.isnan(judged[1]):
        return judged
    return other, other.p


def _permutation(comparison: Comparison, judged: Judged, plan: Plan) -> Judged:
    p, smallest = comparison.permutation_p, 2.0 ** (1 - len(comparison.seeds))
    unusable = p is None or smallest >= plan.strictest_alpha or np.isnan(judged[1])
    return judged if unusable or p is None else (judged[0], p)


def _verdicts(judged: Sequence[Judged], plan: Plan) -> list[Verdict | None]:
    return [
        None if estimate is None or np.isnan(p) else decision.verdict
        for (estimate, p), decision in zip(judged, decide(judged, plan), strict=True)
    ]
