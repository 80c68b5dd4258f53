"""Simulated studies whose arms are claimed to be negligible, better or worse.

Negligible is a claim, too: of eight arms whose true effect is exactly the smallest effect worth
having, at least one is called negligible in 0.19 to 0.28 of studies if its tests are not adjusted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from analysis.moderation import fit_prior, moderate
from analysis.multiplicity import CorrectionName, adjust, levels
from benchmarks.simulation import SDS

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]

ALPHA, DELTA = 0.05, 0.005


@dataclass(frozen=True)
class Claims:
    """The adjusted p-values of both claims about every arm; each of shape (studies, arms)."""

    effect: Floats
    error: Floats
    df: Floats
    differs: Floats
    negligible: Floats

    @classmethod
    def on(cls, differences: Floats, correction: CorrectionName = "holm") -> Claims:
        """On paired differences of shape (studies, seeds, arms), nats, by the default test."""
        seeds = differences.shape[1]
        variances = differences.var(axis=1, ddof=1)
        moderated, df = moderate(variances, seeds - 1, fit_prior(variances, seeds - 1))
        effect, error = differences.mean(axis=1), np.sqrt(moderated / seeds)
        differs = 2 * stdtr(df, -np.abs(effect) / error)
        within = stdtr(df, (np.abs(effect) - DELTA) / error)
        adjusted = adjust(differs, correction), adjust(within, correction)
        return cls(effect, error, df, *adjusted)

    @property
    def called_negligible(self) -> Truths:
        return self.negligible < ALPHA

    @property
    def called_real(self) -> Truths:
        """Better or worse; an arm that is also negligible is called negligible."""
        return (self.differs < ALPHA) & ~self.called_negligible


def studies_at(
    effects: Floats, seeds: int, studies: int, scale: float = 1.0
) -> tuple[Floats, Claims]:
    """Studies whose arms have these true effects, with `SDS` times `scale` as spreads.

    Returns the paired differences, shape (studies, seeds, arms), and the claims made of them.
    """
    generator = np.random.default_rng([seeds, effects.size, studies])
    noise = generator.standard_normal((studies, seeds, effects.size))
    differences = effects + scale * np.resize(SDS, effects.size) * noise
    return differences, Claims.on(differences)


def intervals_missed(
    effects: Floats, seeds: int, studies: int, correction: CorrectionName = "holm"
) -> Truths:
    """Whether each printed interval misses the true effect, shape (studies, arms).

    Only those of the claim "differs": the level is that of the step at which it was tested.
    """
    differences, _ = studies_at(effects, seeds, studies)
    found = Claims.on(differences, correction)
    p = 2 * stdtr(found.df, -np.abs(found.effect) / found.error)
    tested_at = np.array([levels(each, correction, ALPHA) for each in p])
    half = -stdtrit(found.df, tested_at / 2) * found.error
    return np.asarray(np.abs(found.effect - effects) > half, bool)
