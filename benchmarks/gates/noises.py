"""Noise of other shapes than normal, for losses of a baseline and arms that share seeds.

Every shape has the unit variance or spread that its docstring names, and no effect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]

SPIKE_RATE = 0.1
"""The share of runs that a spike hits."""
SPIKE_MEAN = SPIKE_RATE * float(np.exp(1.5))
"""Mean of `spikes`: a lognormal of parameters 1 and 1 has the mean exp(1.5)."""
BAD_SEED_RATE = 0.15
"""The share of seeds that are six times as noisy."""
MODES_APART = 20.0
"""Distance of the two modes, in sds of one mode."""
MODE_RATE = 0.3
"""The share of runs in the second mode."""


def normal(generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return generator.standard_normal(shape)


def t25(generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Student's t with 2.5 degrees of freedom, variance 1: very heavy tails."""
    return generator.standard_t(2.5, shape) / np.sqrt(5)


def spikes(generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Normal noise of variance 1, with spikes upward of a lognormal size in one run of ten."""
    hit = generator.random(shape) < SPIKE_RATE
    return generator.standard_normal(shape) + hit * np.exp(1.0 + generator.standard_normal(shape))


def two_modes(generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Normal noise of variance 1, with three runs in ten in a second mode, 20 sds higher."""
    second = generator.random(shape) < MODE_RATE
    return generator.standard_normal(shape) + MODES_APART * second


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How losses without effects are drawn; in sds of a run."""

    own: Draw = normal
    """Noise of an arm's run that no other run shares."""
    baseline: Draw = normal
    """Noise of the baseline's run."""
    correlation: float = 0.5
    """Correlation of arm and baseline over equal seeds."""
    excess: float = 0.0
    """Added to the baseline's own noise, so that its mean is that of the arms."""
    bad_seeds: bool = False
    """True if some seeds are six times as noisy, in all arms and the baseline."""

    def losses(
        self, generator: np.random.Generator, shape: tuple[int, int, int]
    ) -> tuple[Floats, Floats]:
        """The baseline's, shape (studies, seeds, 1), and the arms', (studies, seeds, arms)."""
        one = (*shape[:2], 1)
        base, own = self.baseline(generator, one) + self.excess, self.own(generator, shape)
        if self.bad_seeds:
            scale = np.where(generator.random(one) < BAD_SEED_RATE, 6.0, 1.0)
            base, own = base * scale, own * scale
        if self.correlation >= 0:
            shared = np.sqrt(self.correlation) * generator.standard_normal(one)
            rest = np.sqrt(1 - self.correlation)
            return shared + rest * base, shared + rest * own
        # An arm that goes up where the baseline goes down.
        return base, self.correlation * base + np.sqrt(1 - self.correlation**2) * own


NOISES = {
    "normal": Noise(),
    "t(2.5)": Noise(own=t25, baseline=t25),
    "spikes": Noise(own=spikes, baseline=spikes),
    "spikes in the baseline only": Noise(baseline=spikes, excess=-SPIKE_MEAN),
    "bad seeds": Noise(bad_seeds=True),
    "two modes": Noise(own=two_modes, baseline=two_modes),
    "correlation -0.3": Noise(correlation=-0.3),
}
