"""Gates on noise of other shapes, on unequal numbers of seeds, and on rounded losses: shared seeds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from benchmarks.gates.gate import Settings
from benchmarks.gates.line import Line, Rate, at_least, at_most
from benchmarks.gates.noises import NOISES
from benchmarks.gates.paired import WORST_COVERAGE, worst_coverage
from benchmarks.simulation import BASELINE_SD, FAMILYWISE, SDS, Decisions

Floats = NDArray[np.float64]

SEEDS, ARMS = (3, 5, 7), (2, 8, 30)
KNOWN_NOISES = {
    "two modes": "a few seeds that are all in one mode show no noise",
    "spikes in the baseline only": "the same spike is in every arm's differences",
}
UNEQUAL = ((3, 7), (3, 5), (4, 7), (3, 20), (5, 7), (7, 3))
"""Seeds of the first arm, and of all others."""
RATIOS = {"1": 1.0, "3": 3.0, "1/3": 1 / 3}
"""Standard deviation of the first arm's differences over that of the others."""
KNOWN_EQUAL = "the arm borrows from others that are less noisy"
DECIMALS = (2, 3, 4)
LEVEL = 3.5
"""Mean of the losses that are rounded, nats."""


def shapes(settings: Settings) -> list[Line]:
    """Each shape of noise with 3, 5 and 7 seeds of 2, 8 and 30 arms."""
    lines = []
    for (name, noise), seeds, arms in product(NOISES.items(), SEEDS, ARMS):
        generator = np.random.default_rng([list(NOISES).index(name), seeds, arms])
        baseline, losses = noise.losses(generator, (settings.studies, seeds, arms))
        found = Decisions.on(losses - baseline)
        cell = f"{name}, {seeds} seeds, {arms} arms"
        lines += list(_lines(cell, found, KNOWN_NOISES.get(name, "")))
    return lines


def unequal(settings: Settings) -> list[Line]:
    """One arm with another number of seeds and another spread than all others, 6 to 16 arms."""
    lines = []
    for (first, others), (ratio, sd), arms in product(UNEQUAL, RATIOS.items(), (6, 8, 16)):
        found = one_arm_apart(settings.studies, first, others, sd, arms)
        lines += list(_lines(f"{first} seeds beside {others}, sd x{ratio}, {arms} arms", found))
    for seeds, arms in product(SEEDS, (6, 8, 16)):
        found = one_arm_apart(settings.studies, seeds, seeds, 3.0, arms)
        cell = f"{seeds} seeds each, one arm with sd x3, {arms} arms"
        lines += list(_lines(cell, found, known_coverage=KNOWN_EQUAL))
    return lines


def rounded(settings: Settings) -> list[Line]:
    """Losses rounded to 2, 3 and 4 decimals, in studies of equally and unequally noisy arms."""
    lines = []
    for decimals, seeds, arms in product(DECIMALS, SEEDS, ARMS):
        for kind, sds in (("unequal", np.resize(SDS, arms)), ("equal", np.full(arms, 0.002))):
            generator = np.random.default_rng([decimals, seeds, arms, len(kind)])
            shape = (settings.studies, seeds, arms)
            baseline = LEVEL + BASELINE_SD * generator.standard_normal((*shape[:2], 1))
            losses = baseline + sds * generator.standard_normal(shape)
            differences = np.round(np.round(losses, decimals) - np.round(baseline, decimals), 10)
            found = Decisions.on(differences, digit=10.0**-decimals)
            lines.append(
                at_most(
                    f"error: {decimals} decimals, {kind}, {seeds} seeds, {arms} arms",
                    Rate.of(found.decided.any(axis=1)),
                    FAMILYWISE,
                )
            )
    return lines


def one_arm_apart(studies: int, first: int, others: int, sd: float, arms: int) -> Decisions:
    """Null studies whose first arm has `first` seeds and differences of `sd` times the spread."""
    generator = np.random.default_rng([first, others, int(100 * sd), arms])
    seeds = np.array([first, *[others] * (arms - 1)])
    shape = (studies, int(seeds.max()), arms)
    baseline = generator.standard_normal((*shape[:2], 1))
    scales = np.array([sd, *[1.0] * (arms - 1)])
    # Equal parts of each difference are the baseline's and the arm's own.
    differences = scales * (generator.standard_normal(shape) + baseline) / np.sqrt(2)
    return Decisions.on(differences, seeds)


def _lines(
    cell: str, found: Decisions, known: str = "", known_coverage: str = ""
) -> Iterator[Line]:
    """The error of a cell, and the coverage of the arm that is covered least."""
    yield at_most(f"error: {cell}", Rate.of(found.decided.any(axis=1)), FAMILYWISE, known)
    yield at_least(
        f"worst arm's coverage: {cell}",
        worst_coverage(found),
        WORST_COVERAGE,
        known or known_coverage,
    )
