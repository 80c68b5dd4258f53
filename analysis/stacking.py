"""Stacks of several interventions: the predicted effect, and the effect measured on fresh seeds.

The estimates of arms that were chosen are too large on average: an arm is chosen because its
estimate is large, partly by luck (the winner's curse). So the prediction sums estimates that are
shrunk toward zero, by James and Stein's estimator in Efron and Morris's form for unequal variances
(1973, JASA 68, 117-130): effects are assumed to have mean zero and a variance tau^2 that is
estimated from all arms, and each is multiplied by tau^2 / (tau^2 + its error variance).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtr, stdtrit

from .effects import moments
from .rules import Plan
from .runs import read_runs
from .selection import interval_of_sum, selected_sizes
from .verdict import ArmVerdict, judge

Floats = NDArray[np.float64]

MIN_ARMS = 3
"""Minimum number of arms; with fewer, James and Stein's estimator gains nothing and is not used."""
_BISECTION_STEPS = 100
_TAIL = 0.025


@dataclass(frozen=True, kw_only=True)
class Promise:
    """The predicted effect of a stack, from the effects of its single members. In nats."""

    effect: float
    """The sum of the members' shrunk effects."""
    members: dict[str, float]
    """The shrunk effect of each member."""
    unshrunk: float
    """The sum of the estimates before shrinking."""
    standard_error: float
    """Standard error of the unshrunk sum."""
    df: float
    ci_low: float | None = None
    """The interval at the study's alpha, the choice of the members included: see
    `_interval_of_choice`. None in a plan that an earlier version stored."""
    ci_high: float | None = None

    def interval(self, alpha: float) -> tuple[float, float]:
        """The 1 - alpha interval of the effect, assuming no interactions.

        `alpha` counts only for a promise that was stored without its interval.
        """
        if self.ci_low is not None and self.ci_high is not None:
            return self.ci_low, self.ci_high
        margin = -float(stdtrit(self.df, alpha / 2)) * self.standard_error
        return self.effect - margin, self.effect + margin

    def error_towards(self, effect: float, alpha: float) -> float:
        """The standard error that the half of the interval on the side of `effect` amounts to."""
        low, high = self.interval(alpha)
        half = high - self.effect if effect > self.effect else self.effect - low
        return half / -float(stdtrit(self.df, alpha / 2))


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Confirmed minus predicted effect: an estimate of the members' interaction. In nats."""

    effect: float
    """Below zero, the stack is better than predicted."""
    ci_low: float
    ci_high: float
    p: float
    """Two-sided p-value of no interaction."""


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """Verdicts on a stack and on the stack without each of its members."""

    stack: ArmVerdict
    """The stack against the baseline: a single question."""
    removals: dict[str, ArmVerdict]
    """By member: the stack without it, against the stack. A separate family of questions."""
    rest: dict[str, ArmVerdict]
    """By member: the stack without it, against the baseline."""

    def harmful(self) -> list[str]:
        """Members that make the stack worse."""
        return [member for member, row in self.removals.items() if row.verdict == "better"]


def shrinkage(effects: ArrayLike, standard_errors: ArrayLike, df: ArrayLike) -> Floats:
    """Shrinkage factors, between 0 and 1, of estimated effects.

    The last axis runs over all arms that were tried, chosen or not; other axes over studies. tau^2
    solves sum of effect^2 / (tau^2 + error variance) = arms - 2, which gives James and Stein's
    factor for equal errors. An error with few `df` is scaled by the width of its 95% t interval
    over the normal one. All factors are 1 for fewer than `MIN_ARMS` arms.
    """
    e, se, d = np.broadcast_arrays(*(np.asarray(x, float) for x in (effects, standard_errors, df)))
    if e.shape[-1] < MIN_ARMS:
        return np.ones(e.shape)
    errors = (se * stdtrit(d, _TAIL) / ndtri(_TAIL)) ** 2
    tau2 = _tau2(e**2, errors, e.shape[-1] - 2)
    return np.asarray(tau2 / np.maximum(tau2 + errors, np.finfo(float).tiny), float)


def _tau2(squares: Floats, errors: Floats, target: float) -> Floats:
    """tau^2 by bisection; 0 if effects vary no more than their errors explain. Shape (..., 1)."""
    low = np.zeros((*squares.shape[:-1], 1))
    high = squares.sum(axis=-1, keepdims=True) / target  # the solution for errors of zero

    def is_too_small(tau2: Floats) -> NDArray[np.bool_]:
        total = np.maximum(tau2 + errors, np.finfo(float).tiny)
        return np.asarray((squares / total).sum(axis=-1, keepdims=True) > target)

    is_positive = is_too_small(low)
    for _ in range(_BISECTION_STEPS):
        middle = (low + high) / 2
        raise_low = is_too_small(middle)
        low, high = np.where(raise_low, middle, low), np.where(raise_low, high, middle)
    return np.where(is_positive, high, 0.0)


def promise(
    runs: pd.DataFrame,
    verdicts: Sequence[ArmVerdict],
    members: Sequence[str],
    baseline: str,
    alpha: float = 0.05,
) -> Promise:
    """Predict the effect of `members` together from the verdicts on all arms of a study.

    `verdicts` are those on single interventions, without the baseline and stacks. `runs` is a frame
    for `runs.read_runs`, with the columns arm, loss (nats), status and seeds.
    """
    tried = [row for row in verdicts if row.effect is not None and row.standard_error]
    columns = zip(*((row.effect, row.standard_error, row.df) for row in tried), strict=True)
    shrunk = {
        row.arm: float(factor) * (row.effect or 0.0)
        for row, factor in zip(tried, shrinkage(*columns), strict=True)
    }
    chosen = [row for row in tried if row.arm in members]
    error, df = _error_of_sum(runs, chosen, baseline)
    predicted = Promise(
        effect=math.fsum(shrunk[arm] for arm in members),
        members={arm: shrunk[arm] for arm in members},
        unshrunk=math.fsum(row.effect or 0.0 for row in chosen),
        standard_error=error,
        df=df,
    )
    if not chosen:
        return predicted
    correlations = _correlations(_sums_by_seed(runs, chosen, baseline), len(chosen))
    low, high = _interval_of_choice(predicted, tried, chosen, correlations, alpha)
    return replace(predicted, ci_low=low, ci_high=high)


def _interval_of_choice(
    predicted: Promise,
    tried: Sequence[ArmVerdict],
    chosen: Sequence[ArmVerdict],
    correlations: Floats,
    alpha: float,
) -> tuple[float, float]:
    """The interval of the members' sum, given that they were chosen for being significant.

    Towards zero it ends where the sum of the members' effects given their choice does
    (`selection`); away from zero where the usual interval of the unshrunk sum does, because choosing
    makes estimates too large and never too small. It holds the prediction.
    """
    rows = [(abs(row.effect or 0.0), row.standard_error or 0.0, row.df or 1.0) for row in chosen]
    size, error, df = np.array(rows, float).T
    critical = np.array([_critical(row, tried) for row in chosen], float)
    given = selected_sizes(size / error, critical, df, len(tried), alpha)
    margin = -float(stdtrit(predicted.df, alpha / 2)) * predicted.standard_error
    sign = math.copysign(1.0, predicted.unshrunk)
    whole, expected = sign * predicted.unshrunk, sign * predicted.effect
    low, high = interval_of_sum(
        given.low * error, given.median * error, given.high * error, correlations
    )
    ends = sign * min(low, expected - margin), sign * max(high, whole + margin)
    return min(ends), max(ends)


def _critical(row: ArmVerdict, tried: Sequence[ArmVerdict]) -> float:
    """The |t| beyond which the arm is significant, with the verdicts on the others as they are."""
    level, error = row.ci_level, row.standard_error
    low, high = row.ci_low_adjusted, row.ci_high_adjusted
    if level is None or low is None or high is None or not error:
        return 0.0
    if row.method == "e-value":
        return (high - low) / 2 / error
    # As the last of those that are significant, it would be tested at the mildest of their levels.
    mildest = [
        1 - each.ci_level
        for each in tried
        if each.ci_level is not None and each.verdict in ("better", "worse")
    ]
    return -float(stdtrit(row.df or 1.0, max([1 - level, *mildest]) / 2))


def _sums_by_seed(
    runs: pd.DataFrame, members: Sequence[ArmVerdict], baseline: str
) -> Floats | None:
    """The members' effects by seed, shape (seeds, members), nats; None without two common seeds."""
    arms = [baseline, *(row.arm for row in members)]
    first, *others = read_runs(_runs_of(runs, arms), arms).values()
    shared = [seed for seed in first.losses if all(seed in other.losses for other in others)]
    if len(shared) < 2 or not others:
        return None
    return np.column_stack([other.at(shared) - first.at(shared) for other in others])


def _correlations(effects: Floats | None, members: int) -> Floats:
    """Correlations of the members' effects over seeds; as if independent below three seeds."""
    if effects is None or len(effects) < 3:
        return np.eye(members)
    deviations = effects - effects.mean(axis=0)
    norms = np.sqrt((deviations**2).sum(axis=0))
    if not norms.all():
        return np.eye(members)
    return np.asarray((deviations / norms).T @ (deviations / norms), float)


def _error_of_sum(
    runs: pd.DataFrame, members: Sequence[ArmVerdict], baseline: str
) -> tuple[float, float]:
    """Standard error (nats) and df of the sum of the members' effects.

    Computed from the sums by seed if all arms share two seeds or more, because all effects contain
    the same baseline; otherwise as if the effects were independent.
    """
    effects = _sums_by_seed(runs, members, baseline)
    if effects is not None:
        sums = effects.sum(axis=1)
        return math.sqrt(moments(sums)[1] / sums.size), sums.size - 1
    return _combined([(row.standard_error or 0.0, row.df or 1.0) for row in members])


def _combined(errors: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Standard error and Satterthwaite's df of a sum of independent estimates."""
    variances = [error**2 for error, _ in errors]
    total = math.fsum(variances)
    if total == 0:
        return 0.0, math.inf
    weights = [
        (variance / total) ** 2 / df for variance, (_, df) in zip(variances, errors, strict=True)
    ]
    return math.sqrt(total), 1 / math.fsum(weights)


def confirm(
    runs: pd.DataFrame, stack: str, without: Mapping[str, str], rules: Plan
) -> Confirmation:
    """Judge a stack that was trained on fresh seeds.

    `runs` has the columns that `judge` takes, for the baseline, `stack` and the arms of `without`,
    which maps each member to the arm that lacks it. `rules` has the levels and the correction for
    the number of members; its arms are ignored.
    """
    names = tuple(without.values())
    rules = replace(rules, outside_family=frozenset())
    whole = judge(_runs_of(runs, [rules.baseline, stack]), replace(rules, arms=(stack,)))
    if not names:
        return Confirmation(stack=whole[stack], removals={}, rest={})
    removed = judge(_runs_of(runs, [stack, *names]), replace(rules, arms=names, baseline=stack))
    rest = judge(_runs_of(runs, [rules.baseline, *names]), replace(rules, arms=names))
    return Confirmation(
        stack=whole[stack],
        removals={member: removed[arm] for member, arm in without.items()},
        rest={member: rest[arm] for member, arm in without.items()},
    )


def _runs_of(runs: pd.DataFrame, arms: Sequence[str]) -> pd.DataFrame:
    return runs[runs["arm"].isin(arms)]


def gap(promised: Promise, confirmed: ArmVerdict, alpha: float) -> Gap | None:
    """Confirmed minus predicted effect; None if the stack has no estimate with an error.

    The two come from different seeds, so they are independent.
    """
    if confirmed.effect is None or confirmed.standard_error is None or confirmed.df is None:
        return None
    error, df = _combined(
        [
            (promised.error_towards(confirmed.effect, alpha), promised.df),
            (confirmed.standard_error, confirmed.df),
        ]
    )
    effect = confirmed.effect - promised.effect
    margin = -float(stdtrit(df, alpha / 2)) * error
    p = 2 * float(stdtr(df, -abs(effect) / error)) if error > 0 else float(effect == 0)
    return Gap(effect=effect, ci_low=effect - margin, ci_high=effect + margin, p=min(p, 1.0))
