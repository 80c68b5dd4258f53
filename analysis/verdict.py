"""The verdict on every arm of a study: does it improve the metric by more than chance?"""

import math
from dataclasses import dataclass, replace

import pandas as pd

from .comparison import Comparison, compare, learn_prior
from .decision import (
    Judged,
    Verdict,
    adjust_by_plan,
    decide,
    depends_on_method,
)
from .effects import Estimate, Method
from .moderation import Prior
from .noise import Noise, noise
from .power import (
    Goal,
    Precision,
    paired_precision,
    seeds_to_settle,
    unpaired_precision,
)
from .rules import Plan
from .runs import ArmRuns, read_runs

__all__ = ["ArmVerdict", "Judgement", "Plan", "judge"]


@dataclass(frozen=True, kw_only=True)
class ArmVerdict:
    """The verdict on one arm. Losses and effects in nats; None if a field does not apply."""

    arm: str
    n_done: int
    n_diverged: int
    n_failed: int
    n_missing: int
    """Queued, running or cancelled."""
    n_shared: int | None = None
    """Seeds done in both arm and baseline. This and the fields below are None for the baseline,
    except `mean` and `sd`."""
    mean: float | None = None
    """Mean over the runs that are done; diverged runs are left out."""
    sd: float | None = None
    effect: float | None = None
    """Arm minus baseline; negative is an improvement, unless the plan says `higher_is_better`."""
    ci_low: float | None = None
    """The 1 - alpha interval of the effect, not adjusted for multiple comparisons."""
    ci_high: float | None = None
    standard_error: float | None = None
    df: float | None = None
    """Degrees of freedom of the standard error."""
    p: float | None = None
    p_adjusted: float | None = None
    method: Method | None = None
    """The method of effect, interval and p. None if there are too few runs for any."""
    pairing_gain: float | None = None
    """(var arm + var baseline) / var of the differences: how many unpaired seeds replace a pair."""
    correlation: float | None = None
    """Correlation of the arm's and the baseline's losses; None below three shared seeds."""
    verdict: Verdict | None = None
    real_but_negligible: bool = False
    """True for a negligible effect with an adjusted p below alpha."""
    seeds_to_settle: int | None = None
    """For an undecided arm: further seeds, in arm and baseline, that would settle it with 80% power.
    None if that takes more than `power.MAX_SEEDS` or nothing can be estimated."""
    p_paired: float | None = None
    p_welch: float | None = None
    p_permutation: float | None = None
    sensitive: bool = False
    """True if another method gives another verdict: see `decision.depends_on_method`."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The verdicts on a study."""

    noise: Noise | None
    """Noise of the baseline; None with fewer than two baseline runs."""
    family: int
    """Number of questions that p-values were adjusted for."""
    prior: Prior
    """The prior fitted to all arms' variances; `prior.df` is 0 if too few arms had pairs."""
    arms: tuple[ArmVerdict, ...]
    """The baseline first, then the plan's arms in the plan's order."""

    def __getitem__(self, arm: str) -> ArmVerdict:
        for row in self.arms:
            if row.arm == arm:
                return row
        raise KeyError(f"no arm {arm!r}; arms: {[row.arm for row in self.arms]}")


def judge(runs: pd.DataFrame, plan: Plan) -> Judgement:
    """Judge every arm of `plan` by its runs.

    `runs` has the columns arm, loss (nats), status (see `runs.STATUSES`) and at least one of
    `runs.SEED_COLUMNS`, one row per run, in any order. An unstable arm has an effect and an
    interval over its converged runs, but no p: diverged runs are not missing by chance. An arm
    without an estimate is undecided. Both count in the family as a p of 1. Raises ValueError as
    `runs.read_runs` does.
    """
    by_arm = read_runs(runs, (plan.baseline, *plan.arms))
    baseline = by_arm[plan.baseline]
    comparisons = compare([by_arm[arm] for arm in plan.arms], baseline)
    prior = learn_prior(comparisons)
    judged = [_judged(comparison, prior) for comparison in comparisons]
    adjusted = adjust_by_plan([p for _, p in judged], plan).tolist()
    sensitive = depends_on_method(comparisons, judged, plan)
    rows = zip(comparisons, judged, adjusted, sensitive, strict=True)
    return Judgement(
        noise=noise(baseline.observed) if len(baseline.losses) > 1 else None,
        family=plan.questions,
        prior=prior,
        arms=(_counts(baseline), *(_row(*row, plan) for row in rows)),
    )


def _judged(comparison: Comparison, prior: Prior) -> Judged:
    """The default estimate and its p; NaN without an estimate, or if the arm is unstable."""
    if comparison.identical:
        return None, math.nan
    estimate = comparison.default(prior)
    return estimate, math.nan if estimate is None or comparison.unstable else estimate.p


def _counts(runs: ArmRuns) -> ArmVerdict:
    """A row with the arm's numbers of runs, mean and sd."""
    values = runs.observed
    mean, variance = runs.moments if values.size else (None, None)
    return ArmVerdict(
        arm=runs.arm,
        n_done=values.size,
        n_diverged=len(runs.diverged),
        n_failed=runs.n_failed,
        n_missing=runs.n_missing,
        mean=mean,
        sd=math.sqrt(variance) if variance is not None and values.size > 1 else None,
    )


def _row(
    comparison: Comparison, judged: Judged, p_adjusted: float, sensitive: bool, plan: Plan
) -> ArmVerdict:
    """The row of one arm; `judged` is its default estimate and p."""
    estimate, p = judged
    verdict = _verdict(comparison, judged, p_adjusted, plan)
    row = replace(
        _compared(comparison),
        p=_none_if_nan(p),
        p_adjusted=_none_if_nan(p_adjusted),
        verdict=verdict,
        real_but_negligible=verdict == "negligible" and p_adjusted < plan.alpha,
        sensitive=sensitive,
    )
    if estimate is None:
        return row
    low, high = estimate.interval(plan.alpha)
    row = replace(
        row,
        effect=estimate.effect,
        ci_low=low,
        ci_high=high,
        standard_error=estimate.standard_error,
        df=estimate.df,
        method=estimate.method,
    )
    if verdict != "undecided":
        return row
    return replace(row, seeds_to_settle=_seeds_to_settle(comparison, estimate, plan))


def _compared(comparison: Comparison) -> ArmVerdict:
    """A row with the fields that do not depend on the method of the verdict."""
    paired, welch = comparison.paired, comparison.welch
    return replace(
        _counts(comparison.arm),
        n_shared=len(comparison.seeds),
        effect=comparison.effect,
        pairing_gain=comparison.pairing_gain,
        correlation=comparison.correlation,
        p_paired=None if paired is None else paired.p,
        p_welch=None if welch is None else welch.p,
        p_permutation=comparison.permutation_p,
    )


def _verdict(comparison: Comparison, judged: Judged, p_adjusted: float, plan: Plan) -> Verdict:
    if comparison.unstable:
        return "unstable"
    if comparison.identical:
        return "identical"
    estimate, _ = judged
    return "undecided" if estimate is None else decide(estimate, p_adjusted, plan)


def _seeds_to_settle(comparison: Comparison, estimate: Estimate, plan: Plan) -> int | None:
    goal = Goal(
        alpha=plan.alpha,
        superiority_alpha=_superiority_alpha(comparison.arm.arm, plan),
        delta=plan.smallest_effect,
    )
    return seeds_to_settle(estimate.effect, _precision(comparison, estimate), goal)


def _superiority_alpha(arm: str, plan: Plan) -> float:
    return plan.alpha if arm in plan.outside_family else plan.strictest_alpha


def _precision(comparison: Comparison, estimate: Estimate) -> Precision:
    """The standard error after further seeds, assuming that the estimated variances are true."""
    if estimate.method in ("paired t", "moderated paired t"):
        n = len(comparison.seeds)
        sd = estimate.standard_error * math.sqrt(n)
        return paired_precision(sd, n, extra_df=estimate.df - (n - 1))
    arm, baseline = comparison.arm, comparison.baseline
    var_baseline = baseline.moments[1]
    # A single run shows no variance: assume that of the baseline.
    var_arm = arm.moments[1] if arm.observed.size > 1 else var_baseline
    return unpaired_precision(var_arm, arm.observed.size, var_baseline, baseline.observed.size)


def _none_if_nan(p: float) -> float | None:
    return None if math.isnan(p) else p
