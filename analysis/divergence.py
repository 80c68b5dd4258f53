"""Divergence as a fact of its own, and whether it takes away the verdict on converged runs.

A verdict compares runs that converged. Diverged runs are not missing by chance: an arm may look
better because its worst runs are those that are gone. So two questions are asked beside it. Does the
arm diverge more often than the baseline? And does a verdict in its favour still hold if a diverged
run counts as the worst of all? An arm is unstable

- if its runs are shown to diverge more often: Fisher's exact test, adjusted for the family as the
  other p-values are;
- if all of them diverged and none of the baseline's, so that nothing is left to compare;
- if they diverged more often, shown or not, and the verdict in its favour (better, negligible or
  identical) is not confirmed at alpha by a one-sided rank test in which they are the worst.

In every other case the verdict on converged runs stands, with the number of diverged runs beside it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, gammaln

from .arm_verdict import ArmVerdict
from .comparison import Comparison
from .decision import Claim, Instability, Verdict, make_claims
from .digits import difference
from .effects import PAIRED
from .ranks import RankTest, mann_whitney, signed_rank
from .rules import Plan
from .runs import ArmRuns

Floats = NDArray[np.float64]

TIE = 1e-7
"""Probabilities closer than this, relative to each other, are equal: as in R's `fisher.test`."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """The share of an arm's runs that diverged, of those that are done or diverged."""

    rate: float
    low: float
    """The exact 1 - alpha interval (Clopper and Pearson 1934, Biometrika 26, 404-413)."""
    high: float


def divergence_rate(runs: ArmRuns, alpha: float) -> Rate | None:
    """The rate and its interval; None if no run is done or diverged."""
    bad, good = len(runs.diverged), len(runs.losses)
    if bad + good == 0:
        return None
    low = float(betaincinv(bad, good + 1, alpha / 2)) if bad else 0.0
    high = float(betaincinv(bad + 1, good, 1 - alpha / 2)) if good else 1.0
    return Rate(rate=bad / (bad + good), low=low, high=high)


def fisher_p(bad: int, total: int, bad_other: int, total_other: int) -> float:
    """Two-sided p of equal rates: all tables that are no more likely than the observed one.

    Fisher (1934), Statistical Methods for Research Workers, section 21.02; as R's `fisher.test`.
    """
    both = bad + bad_other
    k = np.arange(max(0, both - total_other), min(total, both) + 1)
    log_ways = _log_binomial(total, k) + _log_binomial(total_other, both - k)
    ways = np.exp(log_ways - log_ways.max())
    observed = ways[bad - k[0]] * (1 + TIE)
    return float(ways[ways <= observed].sum() / ways.sum())


def _log_binomial(n: int, k: NDArray[np.int64]) -> Floats:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1), float)


def add_divergence(
    baseline: ArmVerdict, arms: Sequence[ArmVerdict], comparisons: Sequence[Comparison], plan: Plan
) -> tuple[ArmVerdict, ...]:
    """Add what is known of divergence to the rows of the baseline and, in order, of the arms.

    The arms come with the verdicts on the runs that converged.
    """
    claims = make_claims([_fisher(comparison) for comparison in comparisons], plan)
    rows = zip(arms, comparisons, claims, strict=True)
    found = [_add_tests(row, mine, claim, plan) for row, mine, claim in rows]
    runs = [comparison.arm.each for comparison in comparisons]
    if comparisons:
        baseline = _add_rate(baseline, comparisons[0].baseline.each, plan)
    rated = [_add_rate(row, mine, plan) for row, mine in zip(found, runs, strict=True)]
    return baseline, *rated


def _add_rate(row: ArmVerdict, runs: ArmRuns, plan: Plan) -> ArmVerdict:
    rate = divergence_rate(runs, plan.alpha)
    if rate is None:
        return row
    return replace(
        row,
        divergence_rate=rate.rate,
        divergence_rate_low=rate.low,
        divergence_rate_high=rate.high,
    )


def _add_tests(
    row: ArmVerdict, comparison: Comparison, more_often: Claim, plan: Plan
) -> ArmVerdict:
    converged = replace(row, verdict_converged=row.verdict)
    if math.isnan(more_often.p):
        return converged
    paired = (
        comparison.is_paired and bool(comparison.seeds)
        if row.method is None
        else row.method in PAIRED
    )
    claim = _claim(comparison, row.verdict, plan, paired=paired)
    instability = _instability(comparison, more_often.p_adjusted, claim, plan)
    tested = replace(
        converged,
        p_divergence=more_often.p,
        p_divergence_adjusted=more_often.p_adjusted,
        p_rank=_rank_test(comparison, 0.0, plan, paired=paired).p,
        p_rank_claim=claim,
        instability=instability,
    )
    if instability is None:
        return tested
    return replace(
        tested,
        verdict="unstable",
        real_but_negligible=False,
        may_be_too_small=False,
        by_margin=False,
        seeds_to_settle=None,
        chance_to_settle=None,
    )


def _fisher(comparison: Comparison) -> float:
    """The p of equal rates; NaN if no run diverged, or if a side has no runs.

    Fisher's test, not McNemar's, though seeds are shared. McNemar's needs six seeds that diverged
    in the arm alone to reach 0.05, where Fisher's needs four of five, and it leaves out runs
    without a partner. If a seed tends to make both diverge, Fisher's errs on the safe side.
    """
    arm, baseline = _runs(comparison)
    if not (arm.diverged or baseline.diverged) or not (_ended(arm) and _ended(baseline)):
        return math.nan
    return fisher_p(len(arm.diverged), _ended(arm), len(baseline.diverged), _ended(baseline))


def _instability(
    comparison: Comparison, p_adjusted: float, claim: float | None, plan: Plan
) -> Instability | None:
    arm, baseline = _runs(comparison)
    if not baseline.losses or not _diverges_more(comparison):
        return None
    if p_adjusted < plan.alpha:
        return "more often"
    if not arm.losses and not baseline.diverged:
        return "every run"
    return "rank test" if claim is not None and claim >= plan.alpha else None


def _diverges_more(comparison: Comparison) -> bool:
    arm, baseline = _runs(comparison)
    return len(arm.diverged) * _ended(baseline) > len(baseline.diverged) * _ended(arm)


def _claim(
    comparison: Comparison, verdict: Verdict | None, plan: Plan, *, paired: bool
) -> float | None:
    """One-sided rank p of a verdict in the arm's favour; None for other verdicts.

    A better arm is below the baseline, a negligible one at most delta above it, an identical one
    not above it at all.
    """
    if verdict not in ("better", "negligible", "identical"):
        return None
    if verdict == "identical":
        return 1.0  # every pair is a tie, and a run that diverged is a difference
    bound = plan.smallest_effect if verdict == "negligible" else 0.0
    return _rank_test(comparison, bound, plan, paired=paired).p_less


def _rank_test(comparison: Comparison, bound: float, plan: Plan, *, paired: bool) -> RankTest:
    """Rank test of the arm less `bound` (nats to the worse) against the baseline; low is good."""
    sign = -1.0 if plan.higher_is_better else 1.0
    arm, baseline = _runs(comparison)
    if not paired:
        mine = np.append(sign * arm.observed - bound, _worst(len(arm.diverged)))
        others = np.append(sign * baseline.observed, _worst(len(baseline.diverged)))
        return mann_whitney(mine, others)
    seeds = [seed for seed in arm.losses if seed in baseline.losses]
    converged = sign * difference(arm.at(seeds), baseline.at(seeds)) - bound
    here, there = (
        len([seed for seed in one.diverged if seed in other.losses])
        for one, other in ((arm, baseline), (baseline, arm))
    )
    return signed_rank(np.concatenate([converged, _worst(here), -_worst(there)]))


def _runs(comparison: Comparison) -> tuple[ArmRuns, ArmRuns]:
    """The runs of arm and baseline; a diverged run has no part in means over shared seeds."""
    return comparison.arm.each, comparison.baseline.each


def _worst(number: int) -> Floats:
    return np.full(number, np.inf)


def _ended(runs: ArmRuns) -> int:
    return len(runs.losses) + len(runs.diverged)
