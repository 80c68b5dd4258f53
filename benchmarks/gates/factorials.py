"""Gate on factorials: the familywise error of main effects and of interactions, and their coverage.

Studies without any effect: a full 2^3, a 2^(5-1) of resolution 5 and a 2^(8-4) of resolution 4, with
shared seeds, with repeated runs that share none, and with one run of each combination. The analysis is
that of `analysis.factorials`, for thousands of studies at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from analysis.factorials.lenth import null_of, pseudo_standard_error
from analysis.factorials.model import choose_model, solver, without
from analysis.factorials.terms import Factors
from analysis.moderation import fit_prior, moderate
from analysis.multiplicity import adjust
from benchmarks.gates.gate import Settings
from benchmarks.gates.line import Line, Rate, at_least, at_most
from benchmarks.simulation import ALPHA, FAMILYWISE, SDS, normal, t4
from sweep.design.fractions import Fraction, find_fraction

Floats = NDArray[np.float64]
Noise = Callable[[np.random.Generator, int, int, Floats], Floats]
"""Draws losses without effects, shape (studies, seeds, arms), given the levels of the arms."""

WORST_COVERAGE = 0.93
DESIGNS: dict[str, tuple[int, int]] = {"2^3": (3, 3), "2^(5-1)": (5, 4), "2^(8-4)": (8, 4)}
"""Numbers of factors and of basic factors."""
RUN_SD = 0.006


def equal(generator: np.random.Generator, studies: int, seeds: int, levels: Floats) -> Floats:
    """Every run has noise of its own, of one size."""
    return RUN_SD * normal(generator, (studies, seeds, len(levels)))


def heavy(generator: np.random.Generator, studies: int, seeds: int, levels: Floats) -> Floats:
    """The same, with heavy tails."""
    return RUN_SD * t4(generator, (studies, seeds, len(levels)))


def unequal_arms(
    generator: np.random.Generator, studies: int, seeds: int, levels: Floats
) -> Floats:
    """Every arm has its own spread."""
    return np.resize(SDS, len(levels)) * normal(generator, (studies, seeds, len(levels)))


def by_factor(generator: np.random.Generator, studies: int, seeds: int, levels: Floats) -> Floats:
    """The effect of each factor differs between seeds, of some by far more than of others."""
    factors = levels.shape[1]
    slopes = np.resize(SDS, factors) * normal(generator, (studies, seeds, factors))
    own = 0.001 * normal(generator, (studies, seeds, len(levels)))
    return np.asarray(slopes @ levels.T + own, float)


NOISES: dict[str, Noise] = {
    "equal noise": equal,
    "heavy tails": heavy,
    "unequal arms": unequal_arms,
    "noise by factor": by_factor,
}


def factorials(settings: Settings) -> list[Line]:
    """Error and worst coverage of each design, noise and kind of runs."""
    lines = []
    for design in DESIGNS:
        for noise in NOISES:
            for seeds in (3, 5):
                what = f"{design}, {noise}, {seeds} shared seeds"
                lines += _lines(what, *paired(design, noise, seeds, settings.studies))
        for noise in ("equal noise", "heavy tails"):
            what = f"{design}, {noise}, 2 runs each, no shared seeds"
            lines += _lines(what, *pooled(design, noise, 2, settings.studies))
            what = f"{design}, {noise}, one run each (Lenth)"
            lines += _lines(what, *unreplicated(design, noise, settings.studies))
    return lines


def _lines(what: str, mains: Floats, interactions: Floats, missed: Floats) -> list[Line]:
    """`mains` and `interactions`: the smallest adjusted p of each study; `missed`: per main effect."""
    worst = missed[:, int(missed.sum(axis=0).argmax())]
    lines = [
        at_most(f"{what}: error of main effects", Rate.of(mains < ALPHA), FAMILYWISE),
        at_most(f"{what}: error of interactions", Rate.of(interactions < ALPHA), FAMILYWISE),
    ]
    if "heavy" not in what:
        covered = Rate.of(~np.asarray(worst, bool))
        lines.append(at_least(f"{what}: coverage of the worst", covered, WORST_COVERAGE))
    return lines


def paired(design: str, noise: str, seeds: int, studies: int) -> tuple[Floats, Floats, Floats]:
    """Studies whose arms share seeds."""
    levels, matrix, mains, two = _design(design)
    losses = NOISES[noise](np.random.default_rng(seeds), studies, seeds, levels)
    contrasts = losses @ matrix.T
    found, variances = contrasts.mean(axis=1), contrasts.var(axis=1, ddof=1)
    smallest, missed = [], np.zeros((studies, mains))
    for first, last in ((0, mains), (mains, two)):
        own = variances[:, first:last]
        moderated, df = moderate(own, seeds - 1, fit_prior(own, seeds - 1))
        error = np.sqrt(moderated / seeds)
        t = np.abs(found[:, first:last]) / error
        smallest.append(adjust(2 * stdtr(df, -t), "holm").min(axis=1))
        if first == 0:
            missed = t > -stdtrit(df, ALPHA / 2)
    return smallest[0], smallest[1], np.asarray(missed, float)


def pooled(design: str, noise: str, runs: int, studies: int) -> tuple[Floats, Floats, Floats]:
    """Studies with repeated runs that share no seed: the noise of all combinations together."""
    levels, matrix, mains, two = _design(design)
    losses = NOISES[noise](np.random.default_rng(runs), studies, runs, levels)
    found = losses.mean(axis=1) @ matrix.T
    df = len(levels) * (runs - 1)
    variance = losses.var(axis=1, ddof=1).mean(axis=1, keepdims=True)
    t = np.abs(found) / np.sqrt(variance * (matrix**2).sum(axis=1) / runs)
    p = 2 * stdtr(df, -t)
    missed = t[:, :mains] > -stdtrit(df, ALPHA / 2)
    return _smallest(p[:, :mains]), _smallest(p[:, mains:two]), np.asarray(missed, float)


def unreplicated(design: str, noise: str, studies: int) -> tuple[Floats, Floats, Floats]:
    """Studies with one run of each combination: Lenth's method."""
    levels, matrix, mains, two = _design(design)
    losses = NOISES[noise](np.random.default_rng(1), studies, 1, levels)[:, 0]
    found = losses @ matrix.T
    null = null_of(found.shape[1])
    ratios = np.abs(found) / pseudo_standard_error(found)[:, None]
    p = null.p(ratios)
    missed = ratios[:, :mains] > null.margin(ALPHA)
    return _smallest(p[:, :mains]), _smallest(p[:, mains:two]), np.asarray(missed, float)


def _smallest(p: Floats) -> Floats:
    return np.asarray(adjust(p, "holm").min(axis=1), float)


def _design(name: str) -> tuple[Floats, Floats, int, int]:
    """Levels of the arms, the contrasts of all effects, and how many are main and up to two."""
    factors, basic = DESIGNS[name]
    fraction = Fraction(factors, ()) if factors == basic else find_fraction(factors, basic)
    rows = [tuple(map(int, row)) for row in fraction.rows()] if fraction else []
    names = tuple(f"f{number}" for number in range(factors))
    cells = {str(number): row for number, row in enumerate(rows)}
    made = Factors(names=names, labels=tuple((each,) for each in names), cells=cells)
    mean = np.ones((len(rows), 1))
    terms = choose_model(made, rows, mean).terms
    matrix = solver(without(made.columns(terms, rows), mean))
    two = sum(term.order <= 2 for term in terms)
    return np.array(rows, float), matrix, factors, two
