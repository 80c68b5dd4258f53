"""The runs that each way of working needs until a verdict is right in 80% of the drawn studies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.verdict_cost.record import Record
from benchmarks.verdict_cost.replays import DRAWN, Source, moments_of
from benchmarks.verdict_cost.ways import FIXED, Fixed, race
from sweep.design.fractions import Fraction, find_fraction

Floats = NDArray[np.float64]
Signs = NDArray[np.int_]

POWER = 0.80
MOST, MOST_RACED = 10_000, 1_000
"""Seeds per arm that are tried for fixed plans, and for races."""
USUAL = 7
"""Seeds per arm of the plan whose power is given beside the seeds that it needs."""
ERROR_SEEDS = (3, 5, 7, 10)
"""Seeds at which the error of fixed plans is measured."""
STEP = 1.03
"""From `DRAWN` seeds on, the ratio of one number of seeds that is tried to the one before."""


@dataclass(frozen=True)
class Cost:
    """The cost of one way of working; arrays of shape (interventions,)."""

    way: str
    error: float
    """Share of studies without any effect in which an arm is called better or worse."""
    errors: Floats
    """That share by arm."""
    seeds: Floats
    """Seeds of the arm when its verdict is right with 80% power; infinite if not within reach, NaN
    if the way cannot have that arm or if it has no effect."""
    runs: Floats
    """Runs that the whole study has trained by then, the baseline's included."""
    most: int
    """Seeds up to which the search went."""


@dataclass(frozen=True)
class Truth:
    """True effects of the drawn studies: the recorded ones, 0 where none is shown."""

    effects: Floats
    signs: Signs

    @classmethod
    def of(cls, record: Record) -> Truth:
        """By the verdicts on all recorded seeds."""
        shown = [row.verdict in ("better", "worse") for row in record.judgement().arms[1:]]
        effects = np.where(shown, record.effects, 0.0)
        return cls(effects, np.sign(effects).astype(int))


class Meter:
    """Measures ways of working on studies that are drawn from one record."""

    def __init__(self, record: Record, studies: int) -> None:
        self.truth = Truth.of(record)
        self.studies = studies
        self._record = record
        self._source = Source.of(record.losses, self.truth.effects)
        self._without = Source.of(record.losses, np.zeros(len(record.arms)))

    def one_run(self) -> Floats:
        """Share of studies in which one run of each arm has the right sign."""
        losses = self._source.losses(self._generator(), self.studies, 1)[:, 0]
        signs = np.sign(losses[:, 1:] - losses[:, :1])
        return np.asarray((signs == self.truth.signs).mean(axis=0), float)

    def power(self, way: Fixed, seeds: int) -> Floats:
        """Share of studies in which a fixed plan is right, by arm."""
        return _right(way(moments_of(self._losses(self._source, seeds))), self.truth.signs)

    def fixed(self, name: str) -> Cost:
        """The cost of a fixed plan: all arms have the same number of seeds."""
        return self._fixed(name, FIXED[name], self._source, self._without, self.truth.signs)

    def raced(self) -> Cost:
        """The cost of a race, whose decided arms get no further seeds."""
        found = race(self._source.stream(self._generator(), self.studies), MOST_RACED)
        right = np.where(found.signs == self.truth.signs, found.seeds, np.inf)
        place = int(np.ceil(POWER * self.studies)) - 1
        seeds = np.sort(right, axis=0)[place]
        seeds = np.where(self.truth.signs != 0, seeds, np.nan)
        nothing = race(self._without.stream(self._generator(), self.studies), DRAWN)
        false = nothing.signs != 0
        runs = np.array([_runs_of_race(found.seeds, n) for n in seeds])
        return Cost("race", _any(false), false.mean(axis=0), seeds, runs, MOST_RACED)

    def fractions(self) -> list[Cost]:
        """The costs of a fraction of resolution 4 under both assumptions; none if there is none.

        Interventions do not interact. `steady`: at each seed, an intervention changes the loss by
        the same amount in every combination. `fresh`: every combination draws the noise of each of
        its interventions anew. Alternatives to an earlier intervention are left out.
        """
        left_out = self._record.alternatives()
        kept = np.array([arm not in left_out for arm in self._record.arms])
        fraction = _smallest_fraction(int(kept.sum()))
        if fraction is None:
            return []
        differences = self._record.differences[:, kept]
        effects = self.truth.effects[kept]
        spread = np.sqrt(differences.var(axis=0, ddof=1))
        return [
            self._fraction("steady", kept, _steady(differences, effects), fraction),
            self._fraction("fresh", kept, _fresh(fraction, spread, effects), fraction),
        ]

    def _fraction(self, noise: str, kept: NDArray[np.bool_], source: Source, of: Fraction) -> Cost:
        without = Source(
            np.zeros_like(source.means),
            source.root,
            None if source.recorded is None else source.recorded - source.means,
        )
        name = f"fraction of {of.runs}, {noise} noise"
        signs = self.truth.signs[kept]
        cost = self._fixed(name, FIXED["paired, moderated"], source, without, signs)
        everywhere = np.full((2, kept.size), np.nan)
        everywhere[:, kept] = cost.seeds, cost.errors
        seeds, errors = everywhere
        return Cost(name, cost.error, errors, seeds, of.runs * seeds, MOST)

    def _fixed(self, name: str, way: Fixed, source: Source, without: Source, truth: Signs) -> Cost:
        false = [way(moments_of(self._losses(without, n))) != 0 for n in ERROR_SEEDS]
        seeds = self._seeds(way, source, truth)
        runs = (1 + truth.size) * seeds
        error = max(_any(each) for each in false)
        errors = np.max([each.mean(axis=0) for each in false], axis=0)
        return Cost(name, error, errors, seeds, runs, MOST)

    def _seeds(self, way: Fixed, source: Source, truth: Signs) -> Floats:
        """The fewest seeds with which each arm is right in 80% of studies."""
        found = np.where(truth != 0, np.inf, np.nan)
        losses, generator = self._losses(source, DRAWN), self._generator()
        n = 2
        while n <= MOST and np.isinf(found).any():
            drawn = n <= DRAWN
            moments = (
                moments_of(losses[:, :n]) if drawn else source.moments(generator, self.studies, n)
            )
            enough = _right(way(moments), truth) >= POWER
            found = np.where(enough & np.isinf(found), n, found)
            n = n + 1 if drawn else int(np.ceil(n * STEP))
        return found

    def _losses(self, source: Source, seeds: int) -> Floats:
        return source.losses(self._generator(), self.studies, seeds)

    def _generator(self) -> np.random.Generator:
        return np.random.default_rng(16)


def _right(claims: Signs, truth: Signs) -> Floats:
    return np.asarray((claims == truth).mean(axis=0), float)


def _any(claims: NDArray[np.bool_]) -> float:
    return float(claims.any(axis=1).mean())


def _runs_of_race(seeds: Floats, at: float) -> float:
    """Mean runs of races after the look at `at` seeds; `seeds` with which the arms left."""
    if not np.isfinite(at):
        return float(at)
    had = np.minimum(seeds, at)
    return float((had.sum(axis=1) + had.max(axis=1)).mean())


def _smallest_fraction(factors: int) -> Fraction | None:
    """The smallest fraction of resolution 4 or more."""
    for basic in range(2, factors):
        fraction = find_fraction(factors, basic)
        if fraction is not None and fraction.resolution >= 4:
            return fraction
    return None


def _steady(differences: Floats, effects: Floats) -> Source:
    """Contrasts of one seed's runs, if they recover the differences of that seed exactly."""
    return Source.of(np.pad(differences, ((0, 0), (1, 0))), effects)


def _fresh(fraction: Fraction, spread: Floats, effects: Floats) -> Source:
    """Contrasts of one seed's runs, if each run has noise of its own."""
    on = np.array(list(fraction.rows()), float)
    noise = np.sqrt(on @ spread**2)
    contrasts = noise[:, None] * (2 * on - 1) * 2 / fraction.runs
    return Source(np.concatenate([[0.0], effects]), np.pad(contrasts, ((0, 0), (1, 0))))
