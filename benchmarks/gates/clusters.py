"""Gates on runs that share init or order seeds: error of the verdicts, coverage of the noise."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from analysis.clusters import Clusters, find_clusters
from analysis.variance.shared import noise_of_runs
from benchmarks.gates.gate import Settings
from benchmarks.gates.line import Line, Rate, at_least, at_most
from benchmarks.simulation import ALPHA, FAMILYWISE, Decisions

Floats = NDArray[np.float64]
Seeds = list[tuple[int, ...]]

STREAMS = ("init_seed", "order_seed", "dropout_seed")
ARMS = (1, 8)
NOISE_COVERAGE = 0.93
NOISE_STUDIES = 1000
"""Intervals of the noise are computed one by one."""
CROSSED: Seeds = list(product(range(4), range(4)))
LAYOUTS: dict[str, Seeds] = {
    "4 inits x 4 orders": CROSSED,
    "4 inits x 4 orders, two runs lost": [s for s in CROSSED if s not in ((0, 1), (3, 2))],
    "4 orders inside each of 4 inits": [(i, 10 * i + j) for i, j in CROSSED],
    "7, 3, 1, 1 and 2 orders inside 5 inits": [
        (i, 10 * i + j) for i, n in enumerate((7, 3, 1, 1, 2)) for j in range(n)
    ],
    "10 inits x 10 orders": list(product(range(10), range(10))),
    "Latin square of 4": [(i, j, i ^ j) for i, j in CROSSED],
}
PARTS = {
    "init 0.9": (0.9, 0.0, 0.1),
    "init 0.5": (0.5, 0.0, 0.5),
    "order 0.9": (0.0, 0.9, 0.1),
    "init and order 0.45 each": (0.45, 0.45, 0.1),
    "neither": (0.0, 0.0, 1.0),
}
"""Shares of the variance: init, order, and the rest."""


def clusters(settings: Settings) -> list[Line]:
    """Each cell of layout, shares of the variance and arms, paired and unpaired."""
    lines = []
    for layout, parts in product(LAYOUTS, PARTS):
        for arms in ARMS:
            paired, unpaired = errors(layout, parts, arms, settings.studies)
            cell = f"{layout}, {parts}, {arms} arm{'s' if arms > 1 else ''}"
            lines += [
                at_most(f"error, paired: {cell}", paired, FAMILYWISE),
                at_most(f"error, unpaired: {cell}", unpaired, FAMILYWISE),
            ]
        covered = coverage(layout, parts, min(settings.studies, NOISE_STUDIES))
        lines.append(at_least(f"coverage of the noise: {layout}, {parts}", covered, NOISE_COVERAGE))
    return lines


def errors(layout: str, parts: str, arms: int, studies: int) -> tuple[Rate, Rate]:
    """Null studies in which any arm is decided, paired and by Welch's t; both with Holm."""
    found, losses = _clusters(layout), draw(layout, parts, (studies, arms + 1))
    x, baseline = losses[:, :-1], losses[:, -1:]
    paired = Decisions.on(np.moveaxis(found.independent(x - baseline), -1, 1))
    sides = found.independent(x), found.independent(baseline)
    own, other = (each.var(axis=-1, ddof=1) / found.count for each in sides)
    df = (own + other) ** 2 / (own**2 + other**2) * (found.count - 1)
    effect = sides[0].mean(axis=-1) - sides[1].mean(axis=-1)
    p = 2 * stdtr(df, -np.abs(effect) / np.sqrt(own + other))
    return (
        Rate.of(paired.decided.any(axis=1)),
        Rate.of(p.min(axis=1) < ALPHA / arms),
    )


def coverage(layout: str, parts: str, studies: int) -> Rate:
    """Intervals that hold the true sd of a run, 1."""
    found = _clusters(layout)
    noises = [noise_of_runs(each, found) for each in draw(layout, parts, (studies,))]
    return Rate.of([each.ci_low <= 1 <= each.ci_high for each in noises])


def draw(layout: str, parts: str, shape: tuple[int, ...]) -> Floats:
    """Losses with a variance of 1, shape (*shape, runs); the same at every call."""
    numbers = list(LAYOUTS).index(layout), list(PARTS).index(parts), len(shape)
    generator, table = np.random.default_rng(numbers), np.array(LAYOUTS[layout])
    *shares, rest = PARTS[parts]
    losses = rest**0.5 * generator.standard_normal((*shape, len(table)))
    for column, share in zip(table.T, shares, strict=False):
        levels, codes = np.unique(column, return_inverse=True)
        losses += share**0.5 * generator.standard_normal((*shape, levels.size))[..., codes]
    return np.asarray(losses, float)


def _clusters(layout: str) -> Clusters:
    seeds = LAYOUTS[layout]
    found = find_clusters(STREAMS[: len(seeds[0])], seeds)
    if found is None:
        raise ValueError(f"no runs share seeds in the layout {layout!r}")
    return found
