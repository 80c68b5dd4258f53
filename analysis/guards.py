"""Guards: is an arm shown to be not worse than a bound allows, by another metric of its runs?

A guard is a one-sided test of non-inferiority. Each arm is compared with the worst that the bound
allows: the baseline plus the bound or, for a bound in percent, the baseline times 0.95, run by run.
The comparison is the one that verdicts rest on (`verdict.judge`: by pairs where seeds pair,
moderated, without peeking), at twice alpha on two sides, which is alpha on either side. It is
adjusted over the arms as the verdicts are.

For a bound in percent this is the test behind Fieller's interval (1954, J. R. Statist. Soc. B 16,
175-185) of the ratio of the two means: it takes the baseline's own noise into account, and the
interval excludes the bound exactly where the test decides.
"""

import math
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from .arm_verdict import ArmVerdict
from .bounds import Bound
from .digits import resolution
from .effects import PAIRED, Method, moments
from .ratios import ratio_interval
from .rules import Plan
from .runs import ArmRuns, read_runs
from .verdict import judge

Floats = NDArray[np.float64]
GuardState = Literal["not worse", "worse", "open"]
LARGEST_ALPHA = 0.499
"""Twice alpha is at most this: the rules of an analysis allow no more."""
STATES: dict[str | None, GuardState] = {"better": "not worse", "worse": "worse"}
"""By the verdict on an arm beside the worst that is allowed; "open" for all others."""


@dataclass(frozen=True, kw_only=True)
class GuardVerdict:
    """The answer of one guard for one arm."""

    arm: str
    state: GuardState
    """Not worse than the bound allows, worse than it allows, or open: neither is shown."""
    change: float | None
    """Arm minus baseline in the unit of the metric; for a relative bound, over the baseline's mean."""
    low: float | None
    """Its 1 - 2 alpha interval, adjusted over the arms: beyond the bound where the state is shown."""
    high: float | None
    p_not_worse: float | None
    """One-sided p, adjusted over the arms: below alpha if the arm is shown to be not worse."""
    p_worse: float | None
    """One-sided p, adjusted: below alpha if it is shown to be worse than the bound allows."""
    method: Method | Literal["exact"] | None
    """`exact` for a metric in which runs do not vary."""


def judge_guard(
    runs: pd.DataFrame, plan: Plan, bound: Bound, *, is_exact: bool = False
) -> list[GuardVerdict]:
    """The answers of a guard for the arms of a plan, in its order.

    `runs` as for `verdict.judge`, with the guard's metric as `loss`. With `is_exact`, one run of
    arm and baseline each decides if runs of an arm do not differ. Raises ValueError for a relative
    bound if the baseline's values are not all above zero.
    """
    by_arm = read_runs(runs, (plan.baseline, *plan.arms))
    baseline = by_arm[plan.baseline]
    if bound.is_relative and baseline.losses and baseline.observed.min() <= 0:
        raise ValueError(
            "a bound in percent needs values above zero; give one in the metric's unit"
        )
    if is_exact and not any(each.losses and each.varies for each in by_arm.values()):
        return [_exact(by_arm[arm], baseline, bound) for arm in plan.arms]
    digit = resolution(np.concatenate([each.observed for each in by_arm.values()]))
    rules = replace(
        plan,
        alpha=min(2 * plan.alpha, LARGEST_ALPHA),
        smallest_effect=0.0,
        margin=None,
        target=None,
        budgets={},
        higher_is_better=bound.higher_is_better,
        resolution=digit,
    )
    judged = judge(_with_worst_allowed(runs, plan.baseline, bound), rules, is_primary=False)
    return [_answer(row, by_arm[row.arm], baseline, bound) for row in judged.arms[1:]]


def _with_worst_allowed(runs: pd.DataFrame, baseline: str, bound: Bound) -> pd.DataFrame:
    """The runs, with the worst values that the bound allows in place of the baseline's."""
    is_baseline = (runs["arm"] == baseline).to_numpy()
    values = runs["loss"].to_numpy(float, copy=True)
    values[is_baseline] = [_worst_allowed(value, bound) for value in values[is_baseline].tolist()]
    return runs.assign(loss=values)


def _worst_allowed(value: float, bound: Bound) -> float:
    """In decimals, as values are written: 3.28 and 0.002 make 3.282."""
    if not math.isfinite(value):
        return value
    change = Decimal(repr(bound.change))
    exact = Decimal(repr(value))
    return float(exact * (1 + change) if bound.is_relative else exact + change)


def _exact(arm: ArmRuns, baseline: ArmRuns, bound: Bound) -> GuardVerdict:
    """The answer for a metric in which the runs of an arm do not vary."""
    if not arm.losses or not baseline.losses:
        return _unanswered(arm.arm)
    value, other = float(arm.observed[0]), float(baseline.observed[0])
    beyond = value - _worst_allowed(other, bound)
    is_worse = beyond < 0 if bound.higher_is_better else beyond > 0
    change = value / other - 1 if bound.is_relative else value - other
    return GuardVerdict(
        arm=arm.arm,
        state="worse" if is_worse else "not worse",
        change=change,
        low=change,
        high=change,
        p_not_worse=None,
        p_worse=None,
        method="exact",
    )


def _unanswered(arm: str) -> GuardVerdict:
    return GuardVerdict(
        arm=arm,
        state="open",
        change=None,
        low=None,
        high=None,
        p_not_worse=None,
        p_worse=None,
        method=None,
    )


def _answer(row: ArmVerdict, arm: ArmRuns, baseline: ArmRuns, bound: Bound) -> GuardVerdict:
    """The answer from the verdict on an arm beside the worst that the bound allows."""
    if row.effect is None:
        return _unanswered(row.arm)
    gain = row.effect if bound.higher_is_better else -row.effect
    half = None if row.p_adjusted is None else row.p_adjusted / 2
    toward, away = half, None if half is None else 1 - half
    is_same = row.verdict == "identical" and bound.amount == 0  # as the baseline, to the last bit
    low, high = _interval(row, arm, baseline, bound)
    return GuardVerdict(
        arm=row.arm,
        state="not worse" if is_same else STATES.get(row.verdict, "open"),
        change=_change(row, bound),
        low=low,
        high=high,
        p_not_worse=toward if gain > 0 else away,
        p_worse=away if gain > 0 else toward,
        method=row.method,
    )


def _change(row: ArmVerdict, bound: Bound) -> float | None:
    if row.effect is None:
        return None
    if not bound.is_relative:
        return row.effect + bound.change
    if row.mean_used is None or not row.baseline_mean_used:
        return None
    return (1 + bound.change) * row.mean_used / row.baseline_mean_used - 1


def _interval(
    row: ArmVerdict, arm: ArmRuns, baseline: ArmRuns, bound: Bound
) -> tuple[float | None, float | None]:
    """The interval of the change that agrees with the answer."""
    low, high = row.ci_low_adjusted, row.ci_high_adjusted
    if low is None or high is None:
        return None, None
    if not bound.is_relative:
        return low + bound.change, high + bound.change
    worst = row.baseline_mean_used
    found = _fieller(row, arm, baseline, bound)
    if found is None and worst:  # the baseline's mean taken for known
        scale = (1 + bound.change) / worst
        found = low * scale + 1 + bound.change, high * scale + 1 + bound.change
    return (None, None) if found is None else (found[0] - 1, found[1] - 1)


def _fieller(
    row: ArmVerdict, arm: ArmRuns, baseline: ArmRuns, bound: Bound
) -> tuple[float, float] | None:
    """Fieller's interval of the ratio of the means; None if a t test with it did not decide."""
    error, df, level = row.standard_error, row.df, row.ci_level
    if error is None or df is None or level is None or row.method in ("e-value", "prediction t"):
        return None
    if row.method in PAIRED:
        seeds = [seed for seed in arm.losses if seed in baseline.losses]
        sides = arm.at(seeds), baseline.at(seeds)
        covariance = np.cov(*sides) / len(seeds)
    else:
        sides = arm.observed, baseline.observed
        covariance = np.diag([moments(side)[1] / side.size for side in sides])
    ratio = 1 + bound.change
    contrast = np.array([1.0, -ratio])
    own = float(contrast @ covariance @ contrast)
    if own <= 0:
        return None
    quantile = float(stdtrit(df, (1 - level) / 2))
    inflated = covariance * (error**2 / own)
    return ratio_interval(float(sides[0].mean()), float(sides[1].mean()), inflated, quantile)
