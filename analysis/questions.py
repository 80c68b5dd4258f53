"""Further questions about an arm: by a margin, against a target, and its worth in tokens."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from scipy.special import stdtr

from .arm_verdict import ArmVerdict
from .comparison import Comparison
from .decision import Judged, make_claims
from .effects import moments
from .exchange import token_slopes, worth
from .independent import independent_losses
from .rules import Plan
from .runs import ArmRuns


def with_margin(
    rows: Sequence[ArmVerdict], judged: Sequence[Judged], plan: Plan
) -> list[ArmVerdict]:
    """The rows of the plan's arms with the test of an improvement by at least its margin.

    One-sided, and adjusted over the family as the two-sided p is.
    """
    claims = make_claims([_p_margin(each, plan) for each in judged], plan)
    return [
        row
        if math.isnan(claim.p)
        else replace(
            row,
            p_margin=claim.p,
            p_margin_adjusted=claim.p_adjusted,
            by_margin=row.verdict == "better" and claim.p_adjusted < plan.alpha,
        )
        for row, claim in zip(rows, claims, strict=True)
    ]


def _p_margin(judged: Judged, plan: Plan) -> float:
    estimate, p = judged
    if estimate is None or math.isnan(p) or plan.margin is None or not estimate.is_test:
        return math.nan
    if plan.higher_is_better:
        return estimate.p_above(plan.margin)
    return estimate.p_below(-plan.margin)


def p_target(runs: ArmRuns, held: Sequence[str], plan: Plan) -> float | None:
    """One-sided p: small if an arm's mean is shown to be on the better side of the plan's target.

    A one-sample t over the done runs, one value per independent seed; for this arm by itself.
    `held`: see `independent.held_streams`. None without a target, below two values, or if they are
    all equal.
    """
    values = independent_losses(runs, held)
    if plan.target is None or values.size < 2 or not runs.varies:
        return None
    mean, variance = moments(values)
    if variance == 0:
        return None
    t = (mean - plan.target) / math.sqrt(variance / values.size)
    return float(stdtr(values.size - 1, -t if plan.higher_is_better else t))


def with_worth(
    rows: Sequence[ArmVerdict], comparisons: Sequence[Comparison], plan: Plan
) -> list[ArmVerdict]:
    """The rows of the plan's arms with their effects in tokens, those of other budgets excepted."""
    budgets = _budgets(comparisons, plan)
    if not budgets:
        return list(rows)
    slopes = token_slopes(budgets)
    found = []
    for row, comparison in zip(rows, comparisons, strict=True):
        is_budget = row.arm in plan.budgets
        worth_of = None if is_budget else worth(comparison, slopes, budgets, plan.alpha)
        if worth_of is not None:
            row = replace(  # noqa: PLW2901  (the same row, filled in)
                row,
                worth_tokens=worth_of.tokens,
                worth_tokens_low=worth_of.low,
                worth_tokens_high=worth_of.high,
                worth_is_extrapolated=worth_of.is_extrapolated,
            )
        found.append(row)
    return found


def _budgets(comparisons: Sequence[Comparison], plan: Plan) -> Mapping[float, Comparison]:
    """The baseline with other budgets that have runs, by their ratio of tokens."""
    return {
        plan.budgets[each.arm.arm]: each
        for each in comparisons
        if each.arm.arm in plan.budgets and each.seeds
    }
