"""From an estimate and its adjusted p to a verdict; and verdicts that depend on the method."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.comparison import Comparison
from analysis.effects import Estimate
from analysis.multiplicity import adjust
from analysis.rules import Plan

Verdict = Literal["better", "worse", "negligible", "undecided", "unstable", "identical"]
Floats = NDArray[np.float64]
Judged = tuple[Estimate | None, float]
"""An estimate and the p-value that it is judged by; NaN is a question without an answer."""


def decide(estimate: Estimate, p_adjusted: float, plan: Plan) -> Verdict:
    """The verdict on one effect. Equivalence is tested first: a small effect is not worth having."""
    if estimate.within(plan.smallest_effect, plan.alpha):
        return "negligible"
    if p_adjusted >= plan.alpha:
        return "undecided"
    return "better" if estimate.effect < 0 else "worse"


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

    Only for arms that were decided on pairs, and only methods that could have agreed:

    - the plain paired t, always;
    - the sign-flip permutation (with the default's interval for equivalence), when its smallest
      p, 2 / 2^n, survives the correction at its worst: five seeds never go below 0.0625;
    - Welch's t, when it is at least as precise as the default or reaches a decision. If pairing
      removes noise, Welch is undecided by construction: that is no reason to doubt the verdict.
    """
    usual = _verdicts(judged, plan)
    sensitive = np.zeros(len(usual), bool)
    for alternative in (_plain, _welch, _permutation):
        others = [alternative(c, j, plan) for c, j in zip(comparisons, judged, strict=True)]
        rows = zip(judged, others, usual, _verdicts(others, plan), strict=True)
        sensitive |= np.array([_contradicts(*row) for row in rows], bool)
    return [bool(each) for each in sensitive]


def _contradicts(
    judged: Judged, other: Judged, usual: Verdict | None, verdict: Verdict | None
) -> bool:
    """True for another verdict by a method that is at least as precise or reaches a decision."""
    if verdict == usual or judged[0] is None or other[0] is None:
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
