"""Variance components of unbalanced layouts, by REML or ML with profile-likelihood intervals.

statsmodels' MixedLM gives the same estimates when all are positive (the tests compare them), but it
optimises square roots, does not reach a variance of exactly zero, and gives no interval for a
component.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, brentq, minimize
from scipy.special import chdtri

from .anova import RESIDUAL, Layout
from .component import Component, Components

Floats = NDArray[np.float64]
Vector = np.ndarray[tuple[int], np.dtype[np.float64]]

MAX_VALUES = 2000
"""Maximum number of values: an n x n matrix is inverted about a hundred times, which takes a minute
at this size."""
MIN_RESIDUAL = 1e-9
"""Minimum residual variance, as a share of the values' variance: keeps the matrix invertible."""
MIN_BOUND, MAX_BOUND = 1e-6, 1e6
"""Limits for the ends of an interval, in units of the values' variance. Beyond these limits, an end
is set to zero or infinity."""


def fit_likelihood(layout: Layout, alpha: float, *, restricted: bool = True) -> Components:
    """Fit non-negative variance components, with 1 - alpha profile intervals.

    `restricted`: by REML, which allows for the estimated mean; else by ML.

    Raises ValueError if all values are equal, or if there are more than `MAX_VALUES`.
    """
    spread = float(layout.centred.std())
    if spread == 0:
        raise ValueError("all values are equal; there is no variance to decompose")
    if layout.values.size > MAX_VALUES:
        raise ValueError(
            f"{layout.values.size} values in a layout that is not balanced; REML takes up to "
            f"{MAX_VALUES}: leave out rows until every combination occurs equally often"
        )
    criterion = Criterion(layout.centred / spread, layout, restricted=restricted)
    best = criterion.minimise(np.full(criterion.lower.size, 1 / criterion.lower.size))
    intervals = [criterion.interval(i, best, alpha) for i in range(best.size)]
    terms = (*layout.cells, RESIDUAL)
    return Components(
        method="REML" if restricted else "ML",
        n=layout.values.size,
        mean=float(layout.values[0]) + criterion.mean(best) * spread,
        parts=tuple(
            Component(
                term=term,
                levels=layout.levels(term),
                variance=variance * spread**2,
                ci_low=low * spread**2,
                ci_high=high * spread**2,
            )
            for term, variance, (low, high) in zip(terms, best.tolist(), intervals, strict=True)
        ),
    )


class Criterion:
    """Minus twice the log-likelihood, up to a constant, as a function of the variances of the terms
    and, last, the residual. Restricted: Patterson and Thompson 1971, Biometrika 58, 545-554.
    """

    def __init__(self, values: Floats, layout: Layout, *, restricted: bool) -> None:
        self.values, self.restricted = values, restricted
        same = [codes[:, None] == codes[None, :] for codes in layout.cells.values()]
        self.same_cell = np.array([*same, np.eye(values.size)], float)
        self.lower = np.array([0.0] * len(same) + [MIN_RESIDUAL])

    def __call__(self, variances: Vector) -> tuple[float, Vector]:
        """The criterion and its gradient, shape (terms + 1,)."""
        inverse, minus_log = self._inverse(variances)
        ones = inverse.sum(axis=1)
        projected = inverse - np.outer(ones, ones) / ones.sum()
        weighted = projected @ self.values
        value = float(self.values @ weighted - minus_log)
        if self.restricted:
            value += float(np.log(ones.sum()))
        slope = projected if self.restricted else inverse
        traces = np.einsum("ij,kij->k", slope, self.same_cell)
        return value, traces - np.einsum("i,kij,j->k", weighted, self.same_cell, weighted)

    def mean(self, variances: Floats) -> float:
        """The generalised least-squares mean."""
        weights = self._inverse(variances)[0].sum(axis=1)
        return float(weights @ self.values / weights.sum())

    def minimise(self, start: Vector, fixed: int | None = None) -> Vector:
        """The variances at the minimum, searched from `start`; number `fixed` keeps its value."""
        low, high = self.lower.copy(), np.full(start.size, MAX_BOUND)
        if fixed is not None:
            low[fixed] = high[fixed] = start[fixed]
        found = minimize(
            self.__call__,
            start,
            jac=True,
            bounds=Bounds(low, high),
            method="SLSQP",
            options={"ftol": 1e-13, "maxiter": 1000},
        )
        return np.asarray(found.x, float)

    def interval(self, index: int, best: Vector, alpha: float) -> tuple[float, float]:
        """The profile interval: here the criterion exceeds its minimum by a chi-square quantile."""
        limit = self(best)[0] + float(chdtri(1, alpha))

        def excess(variance: float) -> float:
            start = np.where(np.arange(best.size) == index, variance, best)
            return self(self.minimise(start, fixed=index))[0] - limit

        low, high = float(best[index]), max(2 * float(best[index]), 0.1)
        while low >= MIN_BOUND and excess(low) <= 0:
            low /= 4
        while high <= MAX_BOUND and excess(high) <= 0:
            high *= 4
        return (
            _root(excess, low, float(best[index])) if low >= MIN_BOUND else 0.0,
            _root(excess, float(best[index]), high) if high <= MAX_BOUND else float("inf"),
        )

    def _inverse(self, variances: Floats) -> tuple[Floats, float]:
        """The inverse of the covariance, and the logarithm of the inverse's determinant."""
        covariance = np.tensordot(variances, self.same_cell, axes=1)
        inverse = np.linalg.inv(covariance)
        return inverse, -float(np.linalg.slogdet(covariance)[1])


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    return float(brentq(function, low, high, xtol=1e-9, rtol=1e-7))
