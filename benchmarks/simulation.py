"""Simulated studies, thousands at once, through the functions that judge a real one.

`tests/analysis/test_gates.py` holds the two together, study by study.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from analysis.comparison import DOUBTFUL_DIGITS
from analysis.moderation import fit_prior, moderate
from analysis.multiplicity import adjust

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]

ALPHA = 0.05
FAMILYWISE, POWER, COVERAGE = 0.06, 0.80, (0.94, 0.97)
BASELINE_SD = 0.012
SDS = np.array([0.0025, 0.0063, 0.0030, 0.0091, 0.0003, 0.0006, 0.0188, 0.0075])
"""Measured spreads of the paired difference, nats; more arms begin again with the first."""
EFFECTS = np.array([-0.0108, -0.031, 0.0, -0.0465, -0.0041, 0.0123, 0.415, -0.1336])
SEEDS, ARMS = (3, 5, 7), (2, 3, 4, 6, 8, 16)


def normal(generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return generator.standard_normal(shape)


def t4(generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Heavy tails, with variance 1."""
    return generator.standard_t(4, shape) / np.sqrt(2)


@dataclass(frozen=True)
class Scenario:
    """How the losses of a study without effects are drawn."""

    draw: Draw
    correlation: float | None = None
    """Correlation of arm and baseline, equally noisy; None for `SDS`, each arm's own spread."""

    def losses(
        self, generator: np.random.Generator, shape: tuple[int, int, int]
    ) -> tuple[Floats, Floats]:
        """The baseline's, shape (studies, seeds, 1), and the arms', (studies, seeds, arms), nats."""
        own, baseline = self.draw(generator, shape), self.draw(generator, (*shape[:2], 1))
        if self.correlation is None:
            return BASELINE_SD * baseline, BASELINE_SD * baseline + np.resize(SDS, shape[2]) * own
        shared = np.sqrt(self.correlation) * self.draw(generator, (*shape[:2], 1))
        rest = np.sqrt(1 - self.correlation)
        return BASELINE_SD * (shared + rest * baseline), BASELINE_SD * (shared + rest * own)

    def differences(self, generator: np.random.Generator, shape: tuple[int, int, int]) -> Floats:
        """Arm minus baseline, shape (studies, seeds, arms), nats."""
        baseline, arms = self.losses(generator, shape)
        return arms - baseline


SCENARIOS = {
    "equal, correlation 0": Scenario(normal, 0.0),
    "equal, correlation 0.5": Scenario(normal, 0.5),
    "equal, correlation 0.8": Scenario(normal, 0.8),
    "equal, t(4)": Scenario(t4, 0.5),
    "unequal": Scenario(normal),
    "unequal, t(4)": Scenario(t4),
}


@dataclass(frozen=True)
class Decisions:
    """The default test's results for every arm of many studies; each of shape (studies, arms)."""

    effect: Floats
    margin: Floats
    """Half the width of the 1 - alpha interval."""
    p_adjusted: Floats

    @classmethod
    def on(
        cls, differences: Floats, seeds: ArrayLike | None = None, digit: float = 0.0
    ) -> Decisions:
        """On paired differences of shape (studies, seeds, arms), in nats.

        `seeds`: numbers of each arm's seeds, of which it has the first; by default all. `digit`: the
        size of the last digit of the losses, nats; 0 if they have all of them.
        """
        n = np.broadcast_to(differences.shape[1] if seeds is None else seeds, differences.shape[2:])
        has = np.arange(differences.shape[1])[:, None] < n
        d = np.where(has, differences, 0.0)
        effect = d.sum(axis=1) / n
        spread = (np.where(has, d - effect[:, None], 0.0) ** 2).sum(axis=1) / (n - 1)
        least = digit**2 / 6
        variances = np.where(d.any(axis=1), np.maximum(spread, least), 0.0)
        moderated, df = moderate(variances, n - 1, fit_prior(variances, n - 1))
        error = np.sqrt(np.where(variances > 0, moderated, 1.0) / n)  # identical arms have no test
        hidden = (spread < least) & (np.abs(effect) <= DOUBTFUL_DIGITS * digit * (1 + 1e-9))
        if hidden.any():
            exact = np.where(hidden, _sign_flip_p(d), 1.0)
            widest = np.abs(effect) / np.maximum(-stdtrit(df, exact / 2), 1e-300)
            error = np.where(hidden & (effect != 0), np.maximum(error, widest), error)
        p = 2 * stdtr(df, -np.abs(effect) / error)
        return cls(effect, -stdtrit(df, ALPHA / 2) * error, adjust(p, "holm"))

    @property
    def decided(self) -> NDArray[np.bool_]:
        """Better or worse, where every effect matters."""
        return self.p_adjusted < ALPHA

    @property
    def familywise(self) -> float:
        """The share of studies in which any arm is decided: of null studies, the error rate."""
        return float(self.decided.any(axis=1).mean())

    @property
    def covered(self) -> NDArray[np.bool_]:
        """True where the interval holds an effect of zero, shape (studies, arms)."""
        return np.asarray(np.abs(self.effect) <= self.margin)

    @property
    def coverage(self) -> float:
        """The share of intervals that hold an effect of zero."""
        return float(self.covered.mean())


def _sign_flip_p(differences: Floats) -> Floats:
    """Exact sign-flip p-values of differences of shape (studies, seeds, arms); few seeds."""
    n = differences.shape[1]
    total = np.abs(differences.sum(axis=1)) - 1e-12 * np.abs(differences).sum(axis=1)
    hits = np.zeros(total.shape)
    for pattern in range(2 ** (n - 1)):
        signs = np.array([1.0, *(1 - 2.0 * (pattern >> i & 1) for i in range(n - 1))])
        hits += np.abs(np.einsum("s,tsa->ta", signs, differences)) >= total
    return hits / 2 ** (n - 1)


def null_studies(name: str, seeds: int, arms: int, studies: int) -> Decisions:
    """Decisions on null studies of one cell; every call simulates the same studies."""
    generator = np.random.default_rng([list(SCENARIOS).index(name), seeds, arms])
    return Decisions.on(SCENARIOS[name].differences(generator, (studies, seeds, arms)))


def power(studies: int, seeds: int = 3) -> NDArray[np.bool_]:
    """True where a study sees an effect: the unequal study with `EFFECTS`, shape (studies, 8)."""
    differences = SCENARIOS["unequal"].differences(
        np.random.default_rng(2), (studies, seeds, EFFECTS.size)
    )
    return Decisions.on(differences + EFFECTS).decided
