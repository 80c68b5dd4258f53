"""Lenth's test of the effects of an unreplicated factorial.

Lenth (1989), "Quick and easy analysis of unreplicated factorials", Technometrics 31, 469-473: most
effects are taken to be zero, and the median of the small ones gives their standard error. His t
approximation is poor; critical values and p are simulated under "no effect at all", as Ye and Hamada
(2000), J. Quality Technology 32, 57-66, tabulate them. The same draws at every call.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..effects import Estimate

Floats = NDArray[np.float64]

MIN_CONTRASTS = 3
"""With fewer contrasts there is no test."""
DRAWS = 600_000
"""Simulated contrasts, in all studies together."""


def pseudo_standard_error(contrasts: ArrayLike) -> Floats:
    """Lenth's PSE along the last axis: 1.5 times the median of those below 2.5 s0."""
    size = np.abs(np.asarray(contrasts, float))
    s0 = 1.5 * np.median(size, axis=-1, keepdims=True)
    small = np.where(size < 2.5 * s0, size, np.nan)
    # If more than half of the contrasts are zero, s0 is zero, and none is below it.
    none = np.isnan(small).all(axis=-1, keepdims=True)
    return np.asarray(1.5 * np.nanmedian(np.where(none, 0.0, small), axis=-1), float)


@dataclass(frozen=True, kw_only=True)
class Null:
    """The ratios of contrasts to their PSE if no effect is there."""

    each: Floats
    """|contrast| / PSE of single contrasts, ascending."""
    largest: Floats
    """The largest one of each study, ascending."""

    def p(self, ratios: ArrayLike) -> Floats:
        """The share of single contrasts that are at least as large; never zero."""
        above = self.each.size - np.searchsorted(self.each, np.asarray(ratios, float))
        return np.asarray((above + 1) / (self.each.size + 1), float)

    def margin(self, level: float) -> float:
        """The ratio that a single contrast exceeds with probability `level`."""
        return float(np.quantile(self.each, 1 - level))

    def simultaneous_margin(self, level: float) -> float:
        """The ratio that any contrast of a study exceeds with probability `level`."""
        return float(np.quantile(self.largest, 1 - level))


@lru_cache(maxsize=32)
def null_of(contrasts: int) -> Null:
    """Simulate studies of so many contrasts. Raises ValueError below `MIN_CONTRASTS`."""
    if contrasts < MIN_CONTRASTS:
        raise ValueError(f"Lenth's test needs {MIN_CONTRASTS} contrasts or more, not {contrasts}")
    studies = max(DRAWS // contrasts, 2_000)
    draws = np.random.default_rng(1989).standard_normal((studies, contrasts))
    ratios = np.abs(draws) / pseudo_standard_error(draws)[:, None]
    return Null(each=np.sort(ratios, axis=None), largest=np.sort(ratios.max(axis=1)))


@dataclass(frozen=True, kw_only=True)
class LenthEstimate(Estimate):
    """An effect whose standard error is the PSE, with the simulated distribution of their ratio."""

    contrasts: int
    """Number of contrasts that the PSE comes from."""

    @property
    def p(self) -> float:
        """Two-sided p-value of no effect."""
        return float(null_of(self.contrasts).p(abs(self.effect) / self.standard_error))

    def interval(self, alpha: float) -> tuple[float, float]:
        """The 1 - alpha interval."""
        margin = null_of(self.contrasts).margin(alpha) * self.standard_error
        return self.effect - margin, self.effect + margin

    def p_below(self, limit: float) -> float:
        """One-sided p: small if the effect is shown to be below `limit`."""
        return self._one_sided((limit - self.effect) / self.standard_error)

    def p_above(self, limit: float) -> float:
        """One-sided p: small if the effect is shown to be above `limit`."""
        return self._one_sided((self.effect - limit) / self.standard_error)

    def _one_sided(self, ratio: float) -> float:
        half = float(null_of(self.contrasts).p(abs(ratio))) / 2
        return half if ratio > 0 else 1 - half
