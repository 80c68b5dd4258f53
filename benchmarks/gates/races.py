"""Gates on races: error over all looks, seeds until decided, and intervals at the stop.

The studies race side by side, with the e-values and the correction that judge a real one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.anytime import log_e
from analysis.multiplicity import adjust
from benchmarks.gates.gate import Settings
from benchmarks.gates.line import Line, Rate, at_least, at_most
from benchmarks.gates.looking import ARMS, MOST
from benchmarks.gates.noises import NOISES
from benchmarks.simulation import ALPHA, EFFECTS, SCENARIOS
from trainer.words import counted

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

START, COVERAGE = 3, 0.95
MEDIANS = (5, 5, 5, 4, 3, 3, 3)
"""Seeds in which half of the studies decide on each effect, from the hardest to the easiest."""
EIGHTIETHS = (6, 6, 6, 4, 4, 4, 4)
"""Seeds in which 80% of them do."""
TWO_MODES = "with few seeds, the runs of both sides may all lie in one mode each"


@dataclass(frozen=True)
class Raced:
    """Many studies at the ends of their races; each of shape (studies, arms)."""

    decided: Flags
    """Better or worse."""
    negligible: Flags
    seeds: NDArray[np.int_]
    """Seeds with which each arm left; the most there are if it stayed undecided."""
    covered: Flags
    """True where the interval at the stop holds the true effect."""


def race(differences: Floats, effects: Floats, delta: float = 0.0, start: int = START) -> Raced:
    """Let every study of paired differences, shape (studies, seeds, arms) in nats, race.

    `effects`: the true ones, shape (arms,), nats.
    """
    studies, most, arms = differences.shape
    left = np.zeros((studies, arms), bool)
    decided, negligible, covered = left.copy(), left.copy(), left.copy()
    seeds = np.full((studies, arms), most)
    p_differs, p_within = np.ones((studies, arms)), np.ones((studies, arms))
    for n in range(start, most + 1):
        mean, variance = differences[:, :n].mean(axis=1), differences[:, :n].var(axis=1, ddof=1)
        p_differs = np.where(left, p_differs, _p(n, mean, variance))
        room = np.maximum(delta - np.abs(mean), 0.0)
        p_within = np.where(left, p_within, _p(n, room, variance))
        claims = adjust(p_within, "holm", arms) < ALPHA, adjust(p_differs, "holm", arms) < ALPHA
        leaving = (claims[0] | claims[1]) & ~left
        negligible |= leaving & claims[0]
        decided |= leaving & claims[1] & ~claims[0]
        ends = leaving | (~left & (n == most))
        covered = np.where(ends, _p(n, mean - effects, variance) > ALPHA, covered)
        seeds = np.where(leaving, n, seeds)
        left |= leaving
    return Raced(decided, negligible, seeds, covered)


def _p(n: int, distance: Floats, variance: Floats) -> Floats:
    return np.minimum(1.0, np.exp(-log_e(n, distance, variance)))


def races(settings: Settings) -> list[Line]:
    """Familywise error, wrong claims of either kind, seeds until decided, and coverage."""
    return [*_null(settings), *_negligible(settings), *_real(settings)]


def _null(settings: Settings) -> list[Line]:
    """No effects: any better or worse at any look is an error."""
    lines = []
    for number, (name, noise) in enumerate([*SCENARIOS.items(), *NOISES.items()]):
        for arms in ARMS:
            generator = np.random.default_rng([80, number, arms])
            baseline, losses = noise.losses(generator, (settings.studies, MOST, arms))
            null = losses - baseline
            found = race(null, np.zeros(arms))
            cell = f"{name}, {counted(arms, 'arm')}"
            known = TWO_MODES if name == "two modes" else ""
            lines.append(at_most(cell, Rate.of(found.decided.any(axis=1)), ALPHA, known))
            if name in SCENARIOS:
                lines.append(at_least(f"coverage: {cell}", Rate.of(found.covered), COVERAGE))
    return lines


def _negligible(settings: Settings) -> list[Line]:
    """Effects of exactly the smallest one: "negligible" and "better" are errors."""
    lines, delta = [], 0.01
    effects = np.where(np.arange(8) % 2, delta, -delta)
    for number, (name, scenario) in enumerate(SCENARIOS.items()):
        generator = np.random.default_rng([81, number])
        found = race(
            scenario.differences(generator, (settings.studies, MOST, 8)) + effects, effects, delta
        )
        wrong = found.negligible.any(axis=1)
        lines.append(at_most(f"negligible, effects at delta: {name}", Rate.of(wrong), ALPHA))
    return lines


def _real(settings: Settings) -> list[Line]:
    """The unequal study with its effects: seeds until decided, and coverage at the stop."""
    generator = np.random.default_rng(82)
    shape = (settings.studies, MOST, EFFECTS.size)
    found = race(SCENARIOS["unequal"].differences(generator, shape) + EFFECTS, EFFECTS)
    lines = [at_least("coverage at the stop, with effects", Rate.of(found.covered), COVERAGE)]
    needed = {effect: found.seeds[:, i] for i, effect in enumerate(EFFECTS) if effect}
    order = sorted(needed, key=lambda effect: float(-needed[effect].mean()))
    for effect, median, most in zip(order, MEDIANS, EIGHTIETHS, strict=True):
        for limit, share in ((median, 0.5), (most, 0.8)):
            rate, what = Rate.of(needed[effect] <= limit), f"effect {effect:g}: {share:.0%} decided"
            lines.append(at_least(f"{what} with {limit} seeds", rate, share))
    return lines
