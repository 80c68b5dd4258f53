"""How many further seeds would settle an undecided arm."""

import math

from .comparison import Comparison
from .effects import Estimate
from .power import Goal, Precision, paired_precision, seeds_to_settle, unpaired_precision
from .rules import Plan


def further_seeds(comparison: Comparison, estimate: Estimate, plan: Plan) -> int | None:
    """Further seeds that would settle an undecided arm with 80% power; None if too many."""
    goal = Goal(
        alpha=_strictest_alpha(comparison.arm.arm, plan),  # negligible is adjusted, too
        superiority_alpha=_strictest_alpha(comparison.arm.arm, plan),
        delta=plan.smallest_effect,
    )
    return seeds_to_settle(estimate.effect, _precision(comparison, estimate), goal)


def _strictest_alpha(arm: str, plan: Plan) -> float:
    return plan.alpha if arm in plan.outside_family else plan.strictest_alpha


def _precision(comparison: Comparison, estimate: Estimate) -> Precision:
    """The standard error after further seeds, assuming that the estimated variances are true."""
    if estimate.method in ("paired t", "moderated paired t", "e-value"):
        n = len(comparison.seeds)
        sd = estimate.standard_error * math.sqrt(n)
        return paired_precision(sd, n, extra_df=estimate.df - (n - 1))
    arm, baseline = comparison.arm, comparison.baseline
    var_baseline = baseline.moments[1]
    # A single run shows no variance: assume that of the baseline.
    var_arm = arm.moments[1] if arm.observed.size > 1 else var_baseline
    return unpaired_precision(var_arm, arm.observed.size, var_baseline, baseline.observed.size)
