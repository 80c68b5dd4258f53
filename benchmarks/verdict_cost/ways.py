"""Ways to reach verdicts, on many studies at once, through the functions that judge a real one.

`tests/benchmarks/test_cost_of_a_verdict.py` holds them to `analysis.verdict.judge`, study by study.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from analysis.anytime import log_e
from analysis.effects import welch_precision
from analysis.moderation import fit_prior, moderate
from analysis.multiplicity import adjust
from benchmarks.verdict_cost.replays import Moments

Floats = NDArray[np.float64]
Signs = NDArray[np.int_]

ALPHA = 0.05
START = 3
"""Seeds of a race's first look."""
Fixed = Callable[[Moments], Signs]
"""Judges studies with a fixed number of seeds: 1 worse, -1 better, 0 neither; (studies, arms)."""


def welch(moments: Moments) -> Signs:
    """Welch's t, as if no seed were shared."""
    squared, df = welch_precision(
        moments.variances[:, 1:], moments.n, moments.variances[:, :1], moments.n
    )
    return _signs(moments.effects, np.sqrt(squared), df)


def paired(moments: Moments) -> Signs:
    """Student's t on the differences by seed."""
    return _signs(moments.effects, np.sqrt(moments.paired / moments.n), moments.n - 1)


def moderated(moments: Moments) -> Signs:
    """The default: paired t with variances that are moderated over the arms."""
    prior = fit_prior(moments.paired, moments.n - 1)
    variances, df = moderate(moments.paired, moments.n - 1, prior)
    return _signs(moments.effects, np.sqrt(variances / moments.n), df)


def _signs(effects: Floats, errors: Floats, df: Floats | int) -> Signs:
    """Signs of the effects that are not zero, by t tests and Holm's correction."""
    p = adjust(2 * stdtr(df, -np.abs(effects) / errors), "holm")
    return np.asarray(np.where(p < ALPHA, np.sign(effects), 0), int)


FIXED: dict[str, Fixed] = {"Welch": welch, "paired t": paired, "paired, moderated": moderated}
"""Fixed plans by name."""


@dataclass(frozen=True)
class Raced:
    """Many races at their ends; each of shape (studies, arms)."""

    signs: Signs
    """1 worse, -1 better, 0 undecided."""
    seeds: Floats
    """Seeds with which each arm left; infinite if it did not."""


def race(stream: Iterator[Floats], most: int) -> Raced:
    """Let studies race to at most `most` seeds; see `analysis.race`. For the stream, see `Source`."""
    losses = next(stream)
    origin = losses[:, 1:] - losses[:, :1]
    total, squares = np.zeros_like(origin), np.zeros_like(origin)
    seeds, signs = np.full(origin.shape, np.inf), np.zeros(origin.shape, int)
    p = np.ones(origin.shape)
    for n, each in enumerate(stream, start=2):
        moved = each[:, 1:] - each[:, :1] - origin
        total, squares = total + moved, squares + moved**2
        if n >= START:
            mean, variance = origin + total / n, (squares - total**2 / n) / (n - 1)
            left = signs != 0
            p = np.where(left, p, np.minimum(1.0, np.exp(-log_e(n, mean, variance))))
            leaving = (adjust(p, "holm") < ALPHA) & ~left
            seeds = np.where(leaving, n, seeds)
            signs = np.where(leaving, np.sign(mean).astype(int), signs)
        if n == most or (signs != 0).all():
            break
    return Raced(signs, seeds)
