"""Decide the verdict on an effect; find the verdicts that depend on the statistical method."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .comparison import Comparison
from .effects import Estimate
from .multiplicity import adjust
from .rules import Plan

Verdict = Literal["better", "worse", "negligible", "undecided", "unstable", "identical"]
Floats = NDArray[np.float64]
Judged = tuple[Estimate | None, float]
"""An estimate and the p-value that decides; NaN if there is none, as for an arm that diverged."""


def decide(estimate: Estimate, p_adjusted: float, plan: Plan) -> Verdict:
    """The verdict on one effect. Equivalence is first: a significant effect may be negligible."""
    if estimate.within(plan.smallest_effect, plan.alpha):
        return "negligible"
    if p_adjusted >= plan.alpha:
        return "undecided"
    gain = estimate.effect if plan.higher_is_better else -estimate.effect
    return "better" if gain > 0 else "worse"


def adjust_by_plan(p_values: Sequence[float], plan: Plan) -> Floats:
    """Adjusted p-values in the plan's order; arms outside the family keep their own p."""
    p = np.array(p_values, float)
    inside = np.array([arm not in plan.outside_family for arm in plan.arms], bool)
    adjusted = p.copy()
    if inside.any():
        adjusted[inside] = adjust(p[inside], plan.correction, plan.questions)
    return adjusted


def depends_on_method(
    comparisons: Sequence[Comparison], judged: Sequence[Judged], plan: Plan
) -> list[bool]:
    """For each arm: true if another method, used for the whole study, gives another verdict.

    Methods are compared only for arms that were judged by paired seeds, and only where they could
    agree with the default:

    - the plain paired t, always;
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
    estimate = comparison.welch
    return judged if estimate is None or np.isnan(judged[1]) else (estimate, estimate.p)


def _permutation(comparison: Comparison, judged: Judged, plan: Plan) -> Judged:
    p, smallest = comparison.permutation_p, 2.0 ** (1 - len(comparison.seeds))
    unusable = p is None or smallest >= plan.strictest_alpha or np.isnan(judged[1])
    return judged if unusable or p is None else (judged[0], p)


def _verdicts(judged: Sequence[Judged], plan: Plan) -> list[Verdict | None]:
    adjusted = adjust_by_plan([p for _, p in judged], plan)
    return [
        None if estimate is None or np.isnan(p) else decide(estimate, p, plan)
        for (estimate, _), p in zip(judged, adjusted.tolist(), strict=True)
    ]
