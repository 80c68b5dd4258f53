"""Estimates for looks after the first: e-values for pairs, a part of alpha for runs without pairs."""

import math
from dataclasses import dataclass

from .anytime import half_width, log_e
from .comparison import Comparison
from .effects import PAIRED, Estimate
from .rules import Plan

SHARE = 0.5
"""The part of alpha that later looks have. A fixed look with alpha came before them, so that both
together have an error of at most 1.5 alpha; simulated, 0.025 to 0.058 at alpha 0.05."""


@dataclass(frozen=True, kw_only=True)
class Sequential(Estimate):
    """A mean difference with its e-value; p-values are 1 / (E x `share`).

    So after a fixed look a p below alpha is an e-value above 1 / (alpha / 2), and corrections for
    many questions apply to it as to any other p: Holm's is the step-down of `anytime.step_down`, and
    Benjamini and Hochberg's is e-BH (Wang and Ramdas 2022, J. R. Statist. Soc. B 84, 822-852).
    """

    n: int
    """Number of differences, at least 2."""
    variance: float
    """Their variance (ddof 1), nats^2."""
    log_choices: float = 0.0
    """Log of the number of sets of seeds that the differences may have been chosen from: see
    `looks.Look.log_choices`. It is taken off the e-value."""
    share: float = SHARE
    """The part of alpha that the e-value has: see `part_of_alpha`."""

    def log_e(self, effect: float = 0.0) -> float:
        """Log of the e-value against "the true effect is `effect`" (nats)."""
        return float(log_e(self.n, self.effect - effect, self.variance)) - self.log_choices

    @property
    def p(self) -> float:
        """The p of no effect, which holds at every look."""
        return self._p(0.0)

    def interval(self, alpha: float) -> tuple[float, float]:
        """The confidence sequence at alpha x `share`, in nats; infinite while there are few seeds."""
        level = alpha * self.share * math.exp(-self.log_choices)
        half = half_width(self.n, self.variance, level)
        return self.effect - half, self.effect + half

    def p_below(self, limit: float) -> float:
        """Small if the effect is shown to be below `limit` (nats)."""
        return self._p(limit) if self.effect < limit else 1.0

    def p_above(self, limit: float) -> float:
        """Small if the effect is shown to be above `limit` (nats)."""
        return self._p(limit) if self.effect > limit else 1.0

    def p_within(self, delta: float) -> float:
        """Small if the effect is shown to be inside +-delta (nats)."""
        return max(self.p_below(delta), self.p_above(-delta))

    def _p(self, effect: float) -> float:
        return math.exp(min(0.0, -self.log_e(effect) - math.log(self.share)))


@dataclass(frozen=True, kw_only=True)
class Spent(Estimate):
    """A t test that has a part of alpha; its p-values are divided by that part.

    There is no e-value for runs without pairs. The j-th plan after the look has SHARE / 2^j of
    alpha, so that all later plans together have no more than `SHARE` of it.
    """

    part: float

    @property
    def p(self) -> float:
        """The p of no effect, to be compared with alpha."""
        return min(1.0, super().p / self.part)

    def interval(self, alpha: float) -> tuple[float, float]:
        """The interval at `part` of alpha, in nats."""
        return super().interval(alpha * self.part)

    def p_below(self, limit: float) -> float:
        """Small if the effect is shown to be below `limit` (nats)."""
        return min(1.0, super().p_below(limit) / self.part)

    def p_above(self, limit: float) -> float:
        """Small if the effect is shown to be above `limit` (nats)."""
        return min(1.0, super().p_above(limit) / self.part)


def later_estimate(comparison: Comparison, fixed: Estimate | None, plan: Plan) -> Estimate | None:
    """The estimate for a look after the first; None if there is none that holds.

    `fixed` is the estimate of a fixed sample. Without pairs, all planned runs must have ended, and
    the number of looks must be known.
    """
    if fixed is None:
        return None
    arm, look = comparison.arm.arm, plan.looks.get(comparison.arm.arm)
    if fixed.method in PAIRED:
        taken_off = plan.log_choices(arm, len(comparison.seeds))
        return sequential(comparison, taken_off, part_of_alpha(plan))
    waiting = comparison.arm.n_missing or comparison.baseline.n_missing
    if waiting or look is None or not look.seeds or look.dropped:
        return None
    return Spent(
        method=fixed.method,
        effect=fixed.effect,
        standard_error=fixed.standard_error,
        df=fixed.df,
        part=SHARE / 2**look.extension,
    )


def part_of_alpha(plan: Plan) -> float:
    """The part of alpha that e-values have: all of it in a race that no fixed look came before."""
    was_spent = any(look.seeds for look in plan.looks.values())
    return 1.0 if plan.race and not was_spent else SHARE


def sequential(
    comparison: Comparison, log_choices: float = 0.0, share: float = SHARE
) -> Sequential | None:
    """The estimate over all shared seeds; None below two, or if all differences are equal."""
    n, effect, variance = len(comparison.seeds), comparison.effect, comparison.variance
    if n < 2 or effect is None or variance == 0:
        return None
    return Sequential(
        method="e-value",
        effect=effect,
        standard_error=math.sqrt(variance / n),
        df=float(n - 1),
        n=n,
        variance=variance,
        log_choices=log_choices,
        share=share,
    )


def log_e_value(comparison: Comparison, estimate: Estimate | None) -> float | None:
    """Log of the e-value against "no effect": that of `estimate`, if it has one."""
    if not isinstance(estimate, Sequential):
        estimate = sequential(comparison)
    return estimate.log_e() if estimate else None


def alpha_share(estimate: Estimate) -> float:
    """The part of alpha that the test of an estimate has."""
    if isinstance(estimate, Spent):
        return estimate.part
    return estimate.share if isinstance(estimate, Sequential) else 1.0
