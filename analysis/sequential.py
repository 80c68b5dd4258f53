"""An estimate whose p and intervals hold at every look."""

import math
from dataclasses import dataclass

from .anytime import half_width, log_e
from .comparison import Comparison
from .effects import Estimate

SHARE = 0.5
"""The part of alpha that later looks have. A fixed look with alpha came before them, so that both
together have an error of at most 1.5 alpha; simulated, 0.03 to 0.056 at alpha 0.05."""


@dataclass(frozen=True, kw_only=True)
class Sequential(Estimate):
    """A mean difference with its e-value; p-values are 1 / (E x `SHARE`).

    So a p below alpha is an e-value above 1 / (alpha / 2), and corrections for many questions apply
    to it as to any other p: Holm's is the step-down of `anytime.step_down`, and Benjamini and
    Hochberg's is e-BH (Wang and Ramdas 2022, J. R. Statist. Soc. B 84, 822-852).
    """

    n: int
    """Number of differences, at least 2."""
    variance: float
    """Their variance (ddof 1), nats^2."""
    log_choices: float = 0.0
    """Log of the number of sets of seeds that the differences may have been chosen from: see
    `looks.Look.log_choices`. It is taken off the e-value."""

    def log_e(self, effect: float = 0.0) -> float:
        """Log of the e-value against "the true effect is `effect`" (nats)."""
        return float(log_e(self.n, self.effect - effect, self.variance)) - self.log_choices

    @property
    def p(self) -> float:
        """The p of no effect, which holds at every look."""
        return self._p(0.0)

    def interval(self, alpha: float) -> tuple[float, float]:
        """The confidence sequence at alpha x `SHARE`, in nats; infinite while there are few seeds."""
        level = alpha * SHARE * math.exp(-self.log_choices)
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
        return math.exp(min(0.0, -self.log_e(effect) - math.log(SHARE)))


def sequential(comparison: Comparison, log_choices: float = 0.0) -> Sequential | None:
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
    )


def log_e_value(comparison: Comparison, estimate: Estimate | None) -> float | None:
    """Log of the e-value against "no effect": that of `estimate`, if it has one."""
    if not isinstance(estimate, Sequential):
        estimate = sequential(comparison)
    return estimate.log_e() if estimate else None
