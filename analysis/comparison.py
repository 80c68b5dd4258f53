"""Comparison of one arm with the baseline: shared seeds, and all estimates of the effect."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .correlation import correlation, fisher_interval
from .digits import difference, rounding
from .effects import (
    Estimate,
    moments,
    paired_t,
    prediction_t,
    sign_flip_ps,
    welch_t,
)
from .independent import held_streams, independent_sides
from .moderation import MIN_DF, Prior, fit_prior, moderate
from .runs import ArmRuns, Seed

Floats = NDArray[np.float64]


@dataclass
class Comparison:
    """Compares an arm's runs with the baseline's. Two done runs with the same seed are a pair,
    unless the plan says that equal seeds do not pair.

    Runs that share seeds have been averaged (`independent`); `ArmRuns.each` has the runs.
    """

    arm: ArmRuns
    baseline: ArmRuns
    permutation_p: float | None = None
    """The sign-flip p; set by `compare` if there are two shared seeds or more."""
    pairs: bool = True
    """False if the plan says that equal seeds do not pair."""

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

    @property
    def unstable(self) -> bool:
        """True if a seed diverged in the arm and not in the baseline, which has a loss at all."""
        return bool(self.baseline.losses) and not self.arm.diverged <= self.baseline.diverged

    @property
    def effect(self) -> float | None:
        """Mean difference over the shared seeds; if there are none, of all done runs. In nats."""
        if self.seeds:
            return self._moments[0]
        if not self.arm.losses or not self.baseline.losses:
            return None
        sides, origin = (self.arm.observed, self.baseline.observed), self.baseline.observed[0]
        arm, baseline = (moments(difference(side, origin))[0] for side in sides)
        return arm - baseline

    @cached_property
    def variance(self) -> float:
        """Variance of the differences, nats^2; 0 below two, or if only rounding makes them differ.

        A variance of 0 does not show that there is no noise: losses with few digits often have
        equal differences.
        """
        if len(self.seeds) < 2:
            return 0.0
        scale = max(float(np.abs(side).max()) for side in self._sides)
        variance = self._moments[1]
        return variance if variance > rounding(scale) ** 2 else 0.0

    @property
    def pairing_gain(self) -> float | None:
        """(var arm + var baseline) / var of differences: how many unpaired seeds replace a pair."""
        if self.variance == 0:
            return None
        return sum(moments(side)[1] for side in self._sides) / self.variance

    @property
    def correlation(self) -> float | None:
        """Pearson correlation over equal seeds, also if these do not pair; None below three."""
        return correlation(self.arm.at(self.equal_seeds), self.baseline.at(self.equal_seeds))

    def correlation_interval(self, alpha: float) -> tuple[float, float] | tuple[None, None]:
        """Fisher's 1 - alpha interval of the correlation."""
        r = self.correlation
        return (None, None) if r is None else fisher_interval(r, len(self.equal_seeds), alpha)

    @cached_property
    def paired(self) -> Estimate | None:
        """The plain paired t; None below two shared seeds, or if their differences are equal."""
        return paired_t(self.differences) if self.variance > 0 else None

    @cached_property
    def welch(self) -> Estimate | None:
        """Welch's t over all done runs; None below two on a side, or if all losses are equal."""
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
        return prediction_t(loss, baseline) if self.baseline.varies else None

    def moderated(self, prior: Prior) -> Estimate | None:
        """The moderated paired t; None below three shared seeds, or without a prior."""
        n = len(self.seeds)
        if n - 1 < MIN_DF or prior.df.item() == 0 or self.identical:
            return None
        variance, df = moderate([self.variance], [n - 1], prior)
        return Estimate(
            method="moderated paired t",
            effect=self._moments[0],
            standard_error=float(np.sqrt(variance.item() / n)),
            df=df.item(),
        )

    def default(self, prior: Prior) -> Estimate | None:
        """The estimate that decides the verdict: a paired one if possible, else an unpaired one."""
        return self.moderated(prior) or self.paired or self.welch or self.prediction

    @cached_property
    def _sides(self) -> tuple[Floats, Floats]:
        """The arm's and the baseline's losses at the shared seeds, shape (n_shared,) each, nats."""
        return self.arm.at(self.seeds), self.baseline.at(self.seeds)

    @cached_property
    def _moments(self) -> tuple[float, float]:
        """Mean and variance of the differences."""
        return moments(self.differences)


def compare(arms: Sequence[ArmRuns], baseline: ArmRuns, *, pairs: bool = True) -> list[Comparison]:
    """Compare every arm with the baseline; all at once, so that they share random sign patterns.

    Where runs share seeds, a pair is one of independent seeds: see `independent`. With `pairs` =
    False, equal seeds do not pair.
    """
    held = held_streams([baseline, *arms])
    comparisons = [
        Comparison(*independent_sides(arm, baseline, held, pairs=pairs), pairs=pairs)
        for arm in arms
    ]
    paired = [each for each in comparisons if len(each.seeds) > 1]
    known = sign_flip_ps([each.differences for each in paired])
    for each, p in zip(paired, known, strict=True):
        each.permutation_p = p
    return comparisons


def learn_prior(comparisons: Sequence[Comparison]) -> Prior:
    """Fit the prior to the variances of all arms with pairs; identical arms are left out."""
    return fit_prior(
        [comparison.variance for comparison in comparisons],
        [max(len(comparison.seeds) - 1, 0) for comparison in comparisons],
    )
