"""Gate on further seeds: the chance that is stated, against the share of arms that they settle.

Undecided arms of studies with one arm or eight, with no effect and with effects of several sizes, are
given the seeds that are recommended (or, if none are, as many as are considered).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from analysis.settle import MAX_FURTHER, Known, Outlook, e_value_rule, outlook
from benchmarks.gates.gate import Settings
from benchmarks.gates.line import Line, Rate, between
from benchmarks.simulation import ALPHA

ARMS_EACH = 60
"""At most so many arms in each cell are given seeds."""
SEEDS, FAMILIES = (3, 5, 7), (1, 8)
DELTAS = (0.0, 0.5, 1.0, 2.0)
"""Smallest effects, in standard deviations of the differences."""
EFFECTS = (0.0, 0.5, 1.0, 2.0)
"""True effects, in units of the smallest effect (of a standard deviation, if that is 0)."""
WITHIN = 0.10


@dataclass(frozen=True, kw_only=True)
class Promised:
    """An undecided arm: the stated chance, and whether the seeds settled it."""

    seeds: int
    chance: float
    recommended: bool
    settled: bool


def settling(settings: Settings) -> list[Line]:
    """By smallest effect, by number of seeds, and where seeds are recommended."""
    tried = min(settings.studies, ARMS_EACH)
    found = {delta: list(promises(delta, tried)) for delta in DELTAS}
    every = [each for some in found.values() for each in some]
    cells = {"all": every, "seeds are recommended": [each for each in every if each.recommended]}
    cells |= {f"{n} seeds": [each for each in every if each.seeds == n] for n in SEEDS}
    cells |= {f"smallest effect {delta:g} sd": some for delta, some in found.items()}
    return [_line(name, some) for name, some in cells.items()]


def _line(name: str, arms: list[Promised]) -> Line:
    stated = float(np.mean([arm.chance for arm in arms]))
    limits = (stated - WITHIN, stated + WITHIN)
    return between(f"{name}, {stated:.3f} stated", Rate.of([arm.settled for arm in arms]), limits)


def promises(delta: float, tried: int) -> Iterator[Promised]:
    """The undecided ones of `tried` arms for each number of seeds, family and effect; sd 1."""
    generator = np.random.default_rng(round(10 * delta))
    for seeds in SEEDS:
        for family in FAMILIES:
            for effect in EFFECTS:
                for _ in range(tried):
                    values = generator.normal(effect * (delta or 1.0), 1.0, seeds)
                    arm = _promised(generator, values, delta, family, effect * (delta or 1.0))
                    if arm is not None:
                        yield arm


def _promised(
    generator: np.random.Generator, values: np.ndarray, delta: float, family: int, effect: float
) -> Promised | None:
    """An arm by its differences, if the t tests at its strictest level leave it undecided."""
    n, mean, variance = values.size, float(values.mean()), float(values.var(ddof=1))
    error = np.sqrt(variance / n)
    if abs(mean) > -stdtrit(n - 1, ALPHA / family / 2) * error:
        return None
    if abs(mean) - stdtrit(n - 1, ALPHA / family) * error < delta:
        return None
    rule = e_value_rule(delta, ALPHA / 2 / family)
    known = Known(
        effect=mean, n=n, own_df=n - 1, own_variance=variance, df=n - 1, variance=variance
    )
    found: Outlook = outlook(known, rule)
    later = np.append(values, generator.normal(effect, 1.0, found.seeds or MAX_FURTHER))
    centre, spread = np.array([later.mean()]), np.array([later.var(ddof=1)])
    settled = bool(rule.shows(np.abs(centre), spread, later.size, later.size - 1)[0])
    room = delta - np.abs(centre)
    settled |= bool(room[0] > 0 and rule.shows(room, spread, later.size, later.size - 1)[0])
    return Promised(
        seeds=n, chance=found.chance, recommended=found.seeds is not None, settled=settled
    )
