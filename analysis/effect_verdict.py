"""The fields that every verdict on an effect has: on an arm, a step, or an effect of a factorial."""

from dataclasses import dataclass, fields
from typing import Any

from .decision import Instability, Verdict
from .effects import Method
from .looks import Basis


@dataclass(frozen=True, kw_only=True)
class EffectVerdict:
    """An effect and the verdict on it. In the unit of the metric; None if a field does not apply."""

    effect: float | None = None
    """Negative is an improvement, unless the plan says `higher_is_better`."""
    ci_low: float | None = None
    """The 1 - alpha interval of the effect, not adjusted for multiple comparisons."""
    ci_high: float | None = None
    ci_low_adjusted: float | None = None
    """The interval that the verdict uses: it excludes zero exactly where `p_adjusted` is below alpha;
    that of a negligible effect lies inside +-delta."""
    ci_high_adjusted: float | None = None
    ci_level: float | None = None
    """Coverage of that interval, such as 0.9944 for one of nine questions by Bonferroni."""
    standard_error: float | None = None
    df: float | None = None
    """Degrees of freedom of the standard error."""
    p: float | None = None
    p_adjusted: float | None = None
    """Adjusted over the family: all arms, all steps, or a group of a factorial's effects."""
    p_negligible_adjusted: float | None = None
    """Below alpha for a negligible effect; adjusted as `p_adjusted` is."""
    method: Method | None = None
    """The method of effect, interval and p. None if there are too few runs for any."""
    verdict: Verdict | None = None
    basis: Basis | None = None
    """What the verdict rests on. By "looks", p is 2 / e-value, and the interval is the confidence
    sequence at alpha / 2: both hold at every look after the first. Without pairs, p and interval are
    those of a t test with a part of alpha."""
    real_but_negligible: bool = False
    """True for a negligible effect with an adjusted p below alpha."""
    sensitive: bool = False
    """True if another method gives another verdict: see `decision.depends_on_method`."""
    seeds_to_settle: int | None = None
    """For an undecided effect: further seeds, in all arms that it compares, that are recommended to
    settle it; None if no number up to `settle.MAX_FURTHER` has an even chance, or nothing can be
    estimated."""
    chance_to_settle: float | None = None
    """The chance that these seeds settle it, or, if there is no such number, `settle.MAX_FURTHER`:
    averaged over what is not known of effect and variance."""

    def values_of(self, kind: "type[EffectVerdict]") -> dict[str, Any]:
        """The values of the fields that a class above this one has."""
        return {field.name: getattr(self, field.name) for field in fields(kind)}


@dataclass(frozen=True, kw_only=True)
class ComparisonVerdict(EffectVerdict):
    """The verdict on one arm beside another."""

    alpha_share: float | None = None
    """The part of alpha that the test has: p is divided by it, and intervals are at this part of
    alpha. 1 for planned seeds, 1/2 for e-values, 1/4, 1/8, ... for later plans without pairs."""
    may_be_too_small: bool = False
    """True for a better or worse whose adjusted interval reaches inside +-delta."""
    instability: Instability | None = None
    """Why the arm is unstable: see `divergence`; None if it is not."""
    verdict_converged: Verdict | None = None
    """The verdict on the runs that converged; `verdict`, unless that is `unstable`."""
