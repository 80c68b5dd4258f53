"""Comparison of one arm with the baseline: shared seeds, and all estimates of the effect.

Which comparison decides is fixed by numbers of seeds, never by p-values: see `is_paired`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .correlation import correlation, fisher_interval
from .digits import difference, resolution, rounding
from .effects import (
    Estimate,
    Method,
    moments,
    prediction_t,
    sign_flip_p,
    sign_flip_ps,
    welch_t,
)
from .independent import held_streams, independent_sides
from .moderation import MIN_DF, Prior, fit_prior, moderate
from .runs import ArmRuns, Seed
from .unpaired import MIN_RUNS, Side, run_prior, run_variance, side_of, unpaired_t

Floats = NDArray[np.float64]

ENOUGH_PAIRS = 4
"""With as many shared seeds or more, arms are compared by pairs, however many runs share no seed."""
DOUBTFUL_DIGITS = 2
"""Rounding may cause differences of as many units of the last digit, in every pair alike."""
NO_PRIOR = fit_prior([], [])


@dataclass
class Comparison:
    """Compares an arm's runs with the baseline's. Two done runs with the same seed are a pair,
    unless the plan says that equal seeds do not pair.

    Runs that share seeds have been averaged (`independent`); `ArmRuns.each` has the runs.
    """

    arm: ArmRuns
    baseline: ArmRuns
    permutation_p: float | None = None
    """The sign-flip p; set by `compare` if the arm is paired and shares two seeds or more."""
    pairs: bool = True
    """False if the plan says that equal seeds do not pair."""
    resolution: float = 0.0
    """Size of the last digit of the study's losses, nats; 0 if they have all their digits."""
    run_prior: Prior = NO_PRIOR
    """The prior of the variances of single runs, for arms that are not paired."""

    @cached_property
    def equal_seeds(self) -> list[Seed]:
        """The seeds that are done in both arm and baseline."""
        return [seed for seed in self.arm.losses if seed in self.baseline.losses]

    @property
    def seeds(self) -> list[Seed]:
        """The shared seeds, each of which makes a pair; none if equal seeds do not pair."""
        return self.equal_seeds if self.pairs else []

    @cached_property
    def differences(self) -> Floats:
        """Arm minus baseline per shared seed, shape (n_shared,), nats."""
        return difference(*self._sides)

    @property
    def identical(self) -> bool:
        """True if there are shared seeds and every difference is exactly zero."""
        return bool(self.seeds) and not self.differences.any()

    @cached_property
    def is_paired(self) -> bool:
        """True if pairs decide: `ENOUGH_PAIRS` shared seeds, or more than half of the smaller side.

        Otherwise all runs of both sides decide, as if no seed were shared. Two shared seeds beside
        five others on each side have one degree of freedom by pairs and about twelve without.
        """
        shared, smaller = len(self.seeds), min(len(self.arm.losses), len(self.baseline.losses))
        return shared >= ENOUGH_PAIRS or 2 * shared > smaller

    @property
    def hidden_by_rounding(self) -> bool:
        """True if paired differences vary less than the rounding of losses makes them vary."""
        return len(self.seeds) > 1 and not self.identical and self._spread < self._least_variance

    @property
    def runs_counted(self) -> int | None:
        """Runs of the side with fewer, if they are too few for a test; None if there are none."""
        smaller = min(len(self.arm.losses), len(self.baseline.losses))
        is_test = smaller >= MIN_RUNS or (self.is_paired and len(self.seeds) > 1)
        return None if smaller == 0 or is_test else smaller

    @property
    def effect(self) -> float | None:
        """Mean difference over the shared seeds if pairs decide, else of all runs. In nats."""
        if self.is_paired and self.seeds:
            return self._moments[0]
        if not self.arm.losses or not self.baseline.losses:
            return None
        arm, baseline = self._all_runs
        return float(np.asarray(arm.mean)) - float(np.asarray(baseline.mean))

    @property
    def means_used(self) -> tuple[float, float] | None:
        """Means of the arm's and the baseline's runs that the effect rests on, in nats."""
        if not self.arm.losses or not self.baseline.losses:
            return None
        if self.is_paired and len(self.seeds) > 1:
            (arm, _), (baseline, _) = self._side_moments
            return arm, baseline
        return self.arm.moments[0], self.baseline.moments[0]

    @cached_property
    def variance(self) -> float:
        """Variance of the differences, nats^2, at least what rounding gives; 0 below two or identical.

        Losses with few digits often have equal differences, which do not show that there is no noise.
        """
        if len(self.seeds) < 2 or self.identical:
            return 0.0
        return max(self._spread, self._least_variance)

    @property
    def pairing_gain(self) -> float | None:
        """(var arm + var baseline) / var of differences: how many unpaired seeds replace a pair."""
        if self.variance == 0:
            return None
        return sum(variance for _, variance in self._side_moments) / self.variance

    @cached_property
    def correlation(self) -> float | None:
        """Pearson correlation over equal seeds, also if these do not pair; None below three."""
        arm, baseline = self._correlated
        seeds = [seed for seed in arm.losses if seed in baseline.losses]
        return correlation(arm.at(seeds), baseline.at(seeds))

    def correlation_interval(self, alpha: float) -> tuple[float, float] | tuple[None, None]:
        """Fisher's 1 - alpha interval of the correlation."""
        r = self.correlation
        return (None, None) if r is None else fisher_interval(r, self.n_equal_seeds, alpha)

    @property
    def n_equal_seeds(self) -> int:
        """How many independent seeds are done in both arm and baseline, also if these do not pair."""
        arm, baseline = self._correlated
        equal = sum(seed in baseline.losses for seed in arm.losses)
        return min(equal, len(self.arm.losses), len(self.baseline.losses))

    @property
    def _correlated(self) -> tuple[ArmRuns, ArmRuns]:
        """The pairs; or, if equal seeds do not pair, the runs: their clusters are not matched."""
        return (self.arm, self.baseline) if self.pairs else (self.arm.each, self.baseline.each)

    @cached_property
    def paired(self) -> Estimate | None:
        """The plain paired t; None below two shared seeds, if they are identical or do not decide."""
        if not self.is_paired or self.variance == 0:
            return None
        return self._paired("paired t", self.variance, float(len(self.seeds) - 1))

    @cached_property
    def unpaired(self) -> Estimate | None:
        """The unpaired t over all done runs; None below two on a side, or if no side varies."""
        if min(len(self.arm.losses), len(self.baseline.losses)) < 2:
            return None
        return unpaired_t(*self._all_runs, self.run_prior)

    @cached_property
    def welch(self) -> Estimate | None:
        """Plain Welch's t over all done runs; None below two on a side, or if no side varies."""
        sides = self.arm.observed, self.baseline.observed
        if min(side.size for side in sides) < 2:
            return None
        return welch_t(*sides) if self.arm.varies or self.baseline.varies else None

    @cached_property
    def prediction(self) -> Estimate | None:
        """The prediction t: the arm's only run against the baseline's runs; None otherwise."""
        baseline = self.baseline.observed
        if self.arm.observed.size != 1 or baseline.size < 2:
            return None
        loss = float(self.arm.observed[0])
        if self.baseline.varies:
            return prediction_t(loss, baseline, run_variance(self.resolution))
        return None

    def moderated(self, prior: Prior) -> Estimate | None:
        """The moderated paired t; None below three shared seeds, or without a prior."""
        n = len(self.seeds)
        if n - 1 < MIN_DF or prior.df.item() == 0 or self.identical:
            return None
        variance, df = moderate([self.variance], [n - 1], prior)
        return self._paired("moderated paired t", variance.item(), df.item())

    def default(self, prior: Prior) -> Estimate | None:
        """The estimate that decides the verdict; `prior` is that of paired differences."""
        if self.is_paired and len(self.seeds) > 1:
            return self.moderated(prior) or self.paired
        return self.unpaired or self.prediction

    def _paired(self, method: Method, variance: float, df: float) -> Estimate:
        """An estimate from the pairs, given the variance of the differences."""
        error = float(np.sqrt(variance / len(self.seeds)))
        effect = self._moments[0]
        found = Estimate(method=method, effect=effect, standard_error=error, df=df)
        if self.hidden_by_rounding and abs(effect) <= self._doubtful:
            # The differences are a few units of the last digit: only their signs are evidence.
            return found.with_p_at_least(self.permutation_p or sign_flip_p(self.differences))
        return found

    @property
    def _doubtful(self) -> float:
        """The largest effect, nats, that rounding may cause; any for losses with all their digits."""
        exact = self.resolution == 0
        return np.inf if exact else DOUBTFUL_DIGITS * self.resolution * (1 + 1e-9)

    @cached_property
    def _spread(self) -> float:
        """Variance of the differences as they are, nats^2."""
        return self._moments[1]

    @cached_property
    def _least_variance(self) -> float:
        """The variance that two roundings give a difference, nats^2."""
        scale = max(float(np.abs(side).max()) for side in self._sides)
        return max(2.0 * run_variance(self.resolution), rounding(scale) ** 2)

    @cached_property
    def _all_runs(self) -> tuple[Side, Side]:
        """Both sides over all done runs; losses minus the baseline's first one, to keep digits."""
        origin = self.baseline.observed[0]
        arm, baseline = (
            side_of(runs, origin, self.resolution) for runs in (self.arm, self.baseline)
        )
        return arm, baseline

    @cached_property
    def _sides(self) -> tuple[Floats, Floats]:
        """The arm's and the baseline's losses at the shared seeds, shape (n_shared,) each, nats."""
        return self.arm.at(self.seeds), self.baseline.at(self.seeds)

    @cached_property
    def _side_moments(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Mean and variance of the arm's and the baseline's losses at the shared seeds."""
        arm, baseline = self._sides
        return moments(arm), moments(baseline)

    @cached_property
    def _moments(self) -> tuple[float, float]:
        """Mean and variance of the differences."""
        return moments(self.differences)


def compare(
    arms: Sequence[ArmRuns], baseline: ArmRuns, *, pairs: bool = True, least_digit: float = 0.0
) -> list[Comparison]:
    """Compare every arm with the baseline.

    All at once, so that they share random sign patterns, the resolution of the losses, and the
    prior of the variances of single runs. Where runs share seeds, a pair is one of independent
    seeds: see `independent`. With `pairs` = False, equal seeds do not pair. The last digit of the
    losses is at least `least_digit`.
    """
    shown = resolution(np.concatenate([runs.observed for runs in (baseline, *arms)]))
    digit = max(shown, least_digit)
    held = held_streams([baseline, *arms])
    sides = [independent_sides(arm, baseline, held, pairs=pairs) for arm in arms]
    prior = run_prior([arm for arm, _ in sides] + [other for _, other in sides[:1]], digit)
    comparisons = [Comparison(*each, None, pairs, digit, prior) for each in sides]
    paired = [each for each in comparisons if each.is_paired and len(each.seeds) > 1]
    known = sign_flip_ps([each.differences for each in paired])
    for each, p in zip(paired, known, strict=True):
        each.permutation_p = p
    return comparisons


def learn_prior(comparisons: Sequence[Comparison]) -> Prior:
    """Fit the prior to the variances of all paired arms; identical arms are left out."""
    return fit_prior(
        [comparison.variance for comparison in comparisons],
        [max(len(each.seeds) - 1, 0) if each.is_paired else 0 for each in comparisons],
    )
