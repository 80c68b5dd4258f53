"""Gates on guards: arms that are exactly as bad as the bound allows, and the intervals of changes."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from analysis.ratios import ratio_interval
from benchmarks.gates.apart import Study
from benchmarks.gates.gate import Settings
from benchmarks.gates.line import Line, Rate, at_most, between
from benchmarks.simulation import ALPHA, FAMILYWISE, SCENARIOS, SEEDS, Decisions

Floats = NDArray[np.float64]

ARMS = (1, 2, 8)
RATIO = 0.95
"""The bound -5% of a speed, as a ratio of means."""
NOISES = (0.002, 0.02, 0.1)
"""Standard deviation of a run over the baseline's mean."""
RUNS = ((4, 4), (5, 7), (10, 10), (3, 3))
"""Runs of each arm, and of the baseline, without shared seeds."""
COVERAGE = (0.88, 0.92)
"""Coverage of intervals with 0.05 on either side."""
COVERED = 2_000
"""Most studies whose intervals are computed one by one."""


def guards(settings: Settings) -> list[Line]:
    """Error of "not worse" with all arms at the bound: in the unit, and in percent."""
    return [*_absolute(settings), *_relative(settings), *_apart(settings), *_covered(settings)]


def _absolute(settings: Settings) -> list[Line]:
    lines = []
    for name, seeds, arms in product(SCENARIOS, SEEDS, ARMS):
        generator = np.random.default_rng([151, list(SCENARIOS).index(name), seeds, arms])
        beyond = SCENARIOS[name].differences(generator, (settings.studies, seeds, arms))
        what = f"in its unit: {name}, {seeds} seeds, {arms} arms"
        lines.append(at_most(what, Rate.of(_not_worse(beyond)), FAMILYWISE))
    return lines


def _relative(settings: Settings) -> list[Line]:
    lines = []
    for noise, correlation, seeds, arms in product(NOISES, (0.0, 0.8), SEEDS, ARMS):
        generator = np.random.default_rng([152, int(1000 * noise), int(10 * correlation), seeds])
        arm, baseline = speeds(generator, (settings.studies, seeds, arms), noise, correlation)
        what = f"in percent: sd {noise:g}, correlation {correlation:g}, {seeds} seeds, {arms} arms"
        lines.append(at_most(what, Rate.of(_not_worse(arm - RATIO * baseline)), FAMILYWISE))
    return lines


def speeds(
    generator: np.random.Generator, shape: tuple[int, int, int], noise: float, correlation: float
) -> tuple[Floats, Floats]:
    """Speeds of arms at the bound, shape (studies, seeds, arms), and the baseline's, (.., 1)."""
    shared, own = np.sqrt(correlation), np.sqrt(1 - correlation)
    common = generator.standard_normal((*shape[:2], 1))
    of_baseline = 1 + noise * (shared * common + own * generator.standard_normal(common.shape))
    of_arms = RATIO * (1 + noise * (shared * common + own * generator.standard_normal(shape)))
    return of_arms, of_baseline


def _not_worse(beyond: Floats) -> NDArray[np.bool_]:
    """True for each study in which any arm is called not worse; `beyond`: above what is allowed."""
    found = Decisions.on(beyond)
    shown = (found.p_adjusted < 2 * ALPHA) & (found.effect > 0)
    return np.asarray(shown.any(axis=1), bool)


def _apart(settings: Settings) -> list[Line]:
    """Without shared seeds, where the baseline times the bound is less noisy than the arm."""
    lines = []
    for runs, spread in product(RUNS, ("equal", "threefold spread", "arms x3")):
        study = Study.draw(runs, 8, spread, settings.studies)
        found = study.shown_above(study.precision(), 2 * ALPHA).any(axis=1)
        what = f"no shared seeds: {runs[0]} runs beside {runs[1]}, 8 arms, {spread}"
        lines.append(at_most(what, Rate.of(found), FAMILYWISE))
    return lines


def _covered(settings: Settings) -> list[Line]:
    """Fieller's 90% interval of one arm's ratio, by plain pairs."""
    lines = []
    for noise, seeds in product(NOISES, SEEDS):
        generator = np.random.default_rng([153, int(1000 * noise), seeds])
        shape = (min(settings.studies, COVERED), seeds, 1)
        arm, baseline = (each[..., 0] for each in speeds(generator, shape, noise, 0.5))
        held = [_holds(*each) for each in zip(arm, baseline, strict=True)]
        what = f"interval of the ratio: sd {noise:g}, {seeds} seeds"
        lines.append(between(what, Rate.of(held), COVERAGE))
    return lines


def _holds(arm: Floats, baseline: Floats) -> bool:
    """True if the interval of mean(arm) / mean(baseline) holds the true ratio, or has no end."""
    n = arm.size
    quantile = float(stdtrit(n - 1, ALPHA))
    found = ratio_interval(
        float(arm.mean()), float(baseline.mean()), np.cov(arm, baseline) / n, quantile
    )
    return found is None or found[0] <= RATIO <= found[1]
