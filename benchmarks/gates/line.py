"""A figure of a gate: a simulated rate with its Monte Carlo interval, or a number beside its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv

Outcome = Literal["kept", "within chance", "not kept", "known"]

CONFIDENCE = 0.99
"""Of Monte Carlo intervals. There are hundreds of cells: of those exactly at their limit, one in two
hundred is called not kept."""


@dataclass(frozen=True)
class Line:
    """One figure and what it says about its gate."""

    what: str
    figure: str
    outcome: Outcome
    value: float | None = None
    """The figure as a number, by which the extremes of a gate are found."""
    note: str = ""
    """Why the figure is outside the limit, if that is known and documented."""

    @property
    def kept(self) -> bool:
        """False if the figure breaks its gate."""
        return self.outcome != "not kept"


@dataclass(frozen=True)
class Rate:
    """A simulated share: `hits` of `trials`."""

    hits: int
    trials: int

    @classmethod
    def of(cls, hits: ArrayLike) -> Rate:
        """Of an array of true and false, one element for each independent trial."""
        seen = np.asarray(hits, bool)
        return cls(int(seen.sum()), seen.size)

    @property
    def share(self) -> float:
        return self.hits / self.trials

    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's exact interval (1934, Biometrika 26, 404-413)."""
        tail = (1 - CONFIDENCE) / 2
        k, n = self.hits, self.trials
        low = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, tail))
        high = 1.0 if k == n else float(betaincinv(k + 1, n - k, 1 - tail))
        return low, high

    def __str__(self) -> str:
        low, high = self.interval()
        return f"{self.share:.4f} ({low:.4f} to {high:.4f})"


def at_most(what: str, rate: Rate, limit: float, known: str = "") -> Line:
    """A rate that should not exceed `limit`. `known`: why it does, where that is documented."""
    return _line(what, rate, (0.0, limit), known)


def at_least(what: str, rate: Rate, limit: float, known: str = "") -> Line:
    """A rate that should reach `limit`. `known`: why it does not, where that is documented."""
    return _line(what, rate, (limit, 1.0), known)


def between(what: str, rate: Rate, limits: tuple[float, float], known: str = "") -> Line:
    """A rate that should lie in `limits`. `known`: why it does not, where that is documented."""
    return _line(what, rate, limits, known)


def equal(what: str, found: float, expected: float, within: float) -> Line:
    """A number that should agree with a published one to `within`."""
    outcome: Outcome = "kept" if abs(found - expected) <= within else "not kept"
    return Line(what, f"{found:.7g}, published {expected:g}", outcome, found)


def is_true(what: str, figure: str, *, kept: bool) -> Line:
    """A statement that is true or false."""
    return Line(what, figure, "kept" if kept else "not kept")


def _line(what: str, rate: Rate, limits: tuple[float, float], known: str) -> Line:
    return Line(what, str(rate), _outcome(rate, limits, known), rate.share, known)


def _outcome(rate: Rate, limits: tuple[float, float], known: str) -> Outcome:
    """`not kept` only if the whole Monte Carlo interval lies outside the limits."""
    (least, most), (low, high) = limits, rate.interval()
    if least <= rate.share <= most:
        return "kept"
    if low <= most and high >= least:
        return "within chance"
    return "known" if known else "not kept"
