"""The verdict on every arm of a study: does it improve the metric by more than chance?"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pandas as pd

from .arm_verdict import ArmVerdict, Judgement
from .comparison import Comparison, compare, learn_prior
from .decision import (
    Decision,
    Judged,
    Verdict,
    decide,
    depends_on_method,
)
from .divergence import add_divergence
from .independent import clusters_of, held_streams, n_independent
from .looking import by_e_values, judge_by_looks
from .moderation import Prior
from .noise import Noise
from .questions import p_target, with_margin, with_worth
from .race import Standing, follow_race, judge_race
from .rules import Plan
from .runs import SEED_COLUMNS, ArmRuns, read_runs
from .sequential import alpha_share, later_estimate, log_e_value
from .settle import find_outlook
from .spread import common_spread
from .unpaired import MIN_RUNS
from .variance.shared import noise_of_runs

__all__ = ["ArmVerdict", "Judgement", "Plan", "judge"]


def judge(runs: pd.DataFrame, plan: Plan, *, is_primary: bool = True) -> Judgement:
    """Judge every arm of `plan` by its runs and, if it was extended after a look, by its looks.

    See `judge_once` for the runs. A race, and a plan with looks, needs their column `seed`. With
    `is_primary` = False, the losses are another metric than the one that a race follows: all runs
    count, by their e-values.
    """
    if plan.race and not is_primary:
        return _judge_beside_race(runs, plan)
    if plan.race:
        return judge_race(runs, plan, judge_once)
    return judge_by_looks(runs, plan, judge_once)


def _judge_beside_race(runs: pd.DataFrame, plan: Plan) -> Judgement:
    """Judge a metric that did not decide which runs a race had: e-values hold at any stop."""
    found = judge_once(runs, replace(plan, by_looks=True))
    return replace(found, arms=(found.arms[0], *map(by_e_values, found.arms[1:])))


def race_standing(runs: pd.DataFrame, plan: Plan) -> Standing:
    """How far a race has come: the arms that have left it, and the runs that it needs next."""
    return follow_race(runs, plan, judge_once)


def judge_once(runs: pd.DataFrame, plan: Plan) -> Judgement:
    """Judge every arm of `plan` by its runs.

    `runs` has the columns arm, loss (nats), status (see `runs.STATUSES`) and at least one of
    `runs.SEED_COLUMNS`, one row per run, in any order. Effect, interval and p are those of
    the runs that converged; `divergence` says when an arm is unstable. An arm without an estimate
    is undecided, and counts in the family as a p of 1. Raises ValueError as `runs.read_runs` does.
    """
    by_arm = read_runs(runs, (plan.baseline, *plan.arms))
    baseline = by_arm[plan.baseline]
    held = held_streams(by_arm.values())
    arms, digit = [by_arm[arm] for arm in plan.arms], plan.resolution
    comparisons = compare(arms, baseline, pairs=plan.pairs, least_digit=digit)
    streams = _shared_streams(by_arm.values(), held)
    prior, rows = judge_comparisons(comparisons, plan)
    rows = with_worth(rows, comparisons, plan)
    return Judgement(
        noise=_noise(baseline, held),
        family=plan.questions,
        prior=prior,
        resolution=comparisons[0].resolution if comparisons else 0.0,
        shared_streams=streams,
        spread=None if streams else common_spread([arm.observed for arm in by_arm.values()]),
        arms=tuple(
            replace(
                row,
                n_independent=n_independent(by_arm[row.arm], held),
                p_target=p_target(by_arm[row.arm], held, plan),
            )
            for row in add_divergence(_counts(baseline), rows, comparisons, plan)
        ),
    )


def judge_comparisons(
    comparisons: Sequence[Comparison], plan: Plan
) -> tuple[Prior, list[ArmVerdict]]:
    """The prior of comparisons, one for each of the plan's arms, and the verdicts on them."""
    prior = learn_prior(comparisons)
    judged = [_judged(comparison, prior, plan) for comparison in comparisons]
    decisions = decide(judged, plan)
    sensitive = depends_on_method(comparisons, judged, plan)
    filled = zip(comparisons, judged, decisions, sensitive, strict=True)
    return prior, with_margin([_row(*each, plan) for each in filled], judged, plan)


def _noise(baseline: ArmRuns, held: Sequence[str]) -> Noise | None:
    """The noise of the baseline; None below two runs."""
    if len(baseline.losses) < 2:
        return None
    return noise_of_runs(baseline.observed, clusters_of(baseline, held))


def _shared_streams(arms: Iterable[ArmRuns], held: Sequence[str]) -> tuple[str, ...]:
    """The seed columns whose seeds several runs of an arm have, in the order of the columns."""
    found = {name for arm in arms if (own := clusters_of(arm, held)) for name in own.streams}
    return tuple(column for column in SEED_COLUMNS if column in found)


def _judged(comparison: Comparison, prior: Prior, plan: Plan) -> Judged:
    """The default estimate and its p; NaN without an estimate."""
    if comparison.identical:
        return None, math.nan
    estimate = comparison.default(prior)
    if plan.by_looks:
        found = later_estimate(comparison, estimate, plan)
        if found is None:
            return estimate, math.nan
        estimate = found
    return estimate, math.nan if estimate is None else estimate.p


def _counts(runs: ArmRuns) -> ArmVerdict:
    """A row with the arm's numbers of runs, mean and sd."""
    runs = runs.each
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
    comparison: Comparison, judged: Judged, decision: Decision, sensitive: bool, plan: Plan
) -> ArmVerdict:
    """The row of one arm; `judged` is its default estimate and p."""
    estimate, p = judged
    verdict = _verdict(comparison, decision)
    row = replace(
        _with_counted_runs(_compared(comparison, plan.alpha), comparison, verdict),
        p=_none_if_nan(p),
        p_adjusted=_none_if_nan(decision.differs.p_adjusted),
        p_negligible=_none_if_nan(decision.negligible.p),
        p_negligible_adjusted=_none_if_nan(decision.negligible.p_adjusted),
        verdict=verdict,
        looks=decision.looks,
        real_but_negligible=verdict == "negligible" and decision.differs.p_adjusted < plan.alpha,
        sensitive=sensitive,
    )
    if estimate is None:
        return row
    low, high = estimate.interval(plan.alpha)
    row = replace(
        _with_interval(row, decision, plan.smallest_effect),
        effect=estimate.effect,
        ci_low=low,
        ci_high=high,
        standard_error=estimate.standard_error,
        df=estimate.df,
        method=estimate.method,
        log_e_value=log_e_value(comparison, estimate),
        alpha_share=alpha_share(estimate),
    )
    if verdict != "undecided":
        return row
    outlook = find_outlook(comparison, estimate, plan)
    if outlook is None:
        return row
    return replace(row, seeds_to_settle=outlook.seeds, chance_to_settle=outlook.chance)


def _with_counted_runs(row: ArmVerdict, comparison: Comparison, verdict: Verdict) -> ArmVerdict:
    """The row; for an undecided arm with too few runs, how many make a test."""
    few = comparison.runs_counted
    if few is None or verdict != "undecided":
        return row
    return replace(row, runs_counted=few, runs_to_test=MIN_RUNS)


def _compared(comparison: Comparison, alpha: float) -> ArmVerdict:
    """A row with the fields that do not depend on the method of the verdict."""
    low, high = comparison.correlation_interval(alpha)
    paired, welch = comparison.paired, comparison.welch
    mean, baseline_mean = comparison.means_used or (None, None)
    return replace(
        _counts(comparison.arm),
        n_shared=comparison.n_equal_seeds,
        mean_used=mean,
        baseline_mean_used=baseline_mean,
        hidden_by_rounding=comparison.hidden_by_rounding,
        effect=comparison.effect,
        pairing_gain=comparison.pairing_gain,
        correlation=comparison.correlation,
        correlation_low=low,
        correlation_high=high,
        p_paired=None if paired is None else paired.p,
        p_welch=None if welch is None else welch.p,
        p_permutation=comparison.permutation_p,
    )


def _with_interval(row: ArmVerdict, decision: Decision, delta: float) -> ArmVerdict:
    """The row with the interval that its verdict uses, and whether that reaches inside +-delta."""
    found = decision.interval
    if found is None:
        return row
    is_real = row.verdict in ("better", "worse")
    return replace(
        row,
        ci_low_adjusted=found.low,
        ci_high_adjusted=found.high,
        ci_level=1 - found.level,
        may_be_too_small=is_real and min(abs(found.low), abs(found.high)) < delta,
    )


def _verdict(comparison: Comparison, decision: Decision) -> Verdict:
    if comparison.identical:
        return "identical"
    return decision.verdict


def _none_if_nan(p: float) -> float | None:
    return None if math.isnan(p) else p
