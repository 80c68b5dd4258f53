"""Comparison of two arms that share too few seeds to be paired: Welch's t, moderated.

With few runs, Welch's t has few degrees of freedom, and too many errors where the numbers of runs
differ: at a nominal 0.05, one arm of two runs beside seven has 0.14. `docs/pairs.md`, "Runs
without shared seeds", has the figures behind the three rules here:

- From `MIN_RUNS` on each side, the arm's variance is moderated by the prior that is fitted to the
  variances of all arms, the baseline included. The baseline keeps its own variance, because it
  enters every comparison: moderated, it costs power where the arms are noisier than it, and errors
  where it is the noisier one.
- An arm with fewer runs than the baseline gets fewer degrees of freedom than Welch's, which are too
  many where the arm's variance happens to be small.
- With fewer runs on a side, that side's degrees of freedom decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .digits import difference, rounding
from .effects import Estimate, Method, moments
from .moderation import Prior, fit_prior, moderate
from .runs import ArmRuns

Floats = NDArray[np.float64]

MIN_RUNS = 4
"""Runs on each side that make an unpaired comparison a test that can decide."""
BALANCED = 1.4
"""An arm whose degrees of freedom times this reach the baseline's has Welch's."""
MAX_PULL = 0.5
"""The most that the inverse of Welch's degrees of freedom moves toward that of the smaller side's."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """Means and variances of one side; arrays of any shape that broadcasts with the other side's."""

    n: ArrayLike
    """Runs."""
    mean: ArrayLike
    """Nats."""
    variance: ArrayLike
    """With ddof = 1, nats^2."""

    @property
    def df(self) -> Floats:
        return np.asarray(self.n, float) - 1.0


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Squared standard error (nats^2) of the difference of two means, and its degrees of freedom."""

    squared_error: Floats
    df: Floats


def moderated_precision(arm: Side, baseline: Side, prior: Prior) -> Precision:
    """The precision from `MIN_RUNS` runs on each side; Welch's for a prior that was not fitted."""
    variance, df = moderate(arm.variance, arm.df, prior)
    error_arm, error_baseline = _squared_errors(arm, variance, baseline)
    total = error_arm + error_baseline
    share = error_arm / total
    inverse = share**2 / df + (1.0 - share) ** 2 / baseline.df
    pull = MAX_PULL * np.maximum(0.0, 1.0 - BALANCED * arm.df / baseline.df)
    smaller = np.minimum(df, baseline.df)
    return Precision(squared_error=total, df=1.0 / ((1.0 - pull) * inverse + pull / smaller))


def smaller_side_precision(arm: Side, baseline: Side) -> Precision:
    """The precision with fewer runs on a side: on the degrees of freedom of the smaller side."""
    total = np.add(*_squared_errors(arm, np.asarray(arm.variance, float), baseline))
    df = np.broadcast_to(np.minimum(arm.df, baseline.df), total.shape)
    return Precision(squared_error=total, df=np.asarray(df, float))


def unpaired_t(arm: Side, baseline: Side, prior: Prior) -> Estimate | None:
    """The estimate that decides an unpaired comparison of two sides with two runs or more each.

    None if no side varies.
    """
    if float(np.asarray(arm.variance)) + float(np.asarray(baseline.variance)) == 0:
        return None
    is_test = min(float(arm.df), float(baseline.df)) >= MIN_RUNS - 1
    found = (
        moderated_precision(arm, baseline, prior)
        if is_test
        else smaller_side_precision(arm, baseline)
    )
    fitted = bool(prior.df.item() > 0)
    full: Method = "moderated Welch t" if fitted else "Welch t"
    return Estimate(
        method=full if is_test else "small-sample t",
        effect=float(np.asarray(arm.mean)) - float(np.asarray(baseline.mean)),
        standard_error=float(np.sqrt(found.squared_error.item())),
        df=found.df.item(),
    )


def _squared_errors(arm: Side, variance: Floats, baseline: Side) -> tuple[Floats, Floats]:
    """Squared standard errors of both means; `variance` is the arm's."""
    return (
        np.asarray(variance / np.asarray(arm.n, float)),
        np.asarray(np.asarray(baseline.variance, float) / np.asarray(baseline.n, float)),
    )


def run_prior(arms: Sequence[ArmRuns], digit: float) -> Prior:
    """Fit the prior of the variances of single runs to all arms that have enough of them."""
    enough = [runs for runs in arms if len(runs.losses) >= MIN_RUNS and runs.varies]
    return fit_prior(
        [max(runs.moments[1], run_variance(digit)) for runs in enough],
        [len(runs.losses) - 1 for runs in enough],
    )


def run_variance(digit: float) -> float:
    """The variance that rounding to multiples of `digit` (nats) gives a loss, nats^2."""
    return digit**2 / 12


def side_of(runs: ArmRuns, origin: float, digit: float) -> Side:
    """One side of an unpaired comparison, with losses minus `origin`."""
    mean, variance = moments(difference(runs.observed, origin))
    least = max(run_variance(digit), rounding(float(np.abs(runs.observed).max())) ** 2)
    known = variance if digit or variance > least else 0.0
    return Side(n=runs.observed.size, mean=mean, variance=max(known, run_variance(digit)))
