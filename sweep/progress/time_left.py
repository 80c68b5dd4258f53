"""Estimate when the remaining runs of a command will have ended, by what its runs have taken."""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from sweep.trainers.base import Cost

RECENT_RUNS = 5
"""Runs, at least, that the speed of the machine is estimated from; two per slot if that is more."""
MAX_SIMULATED = 2_000
"""Waiting runs that are placed into slots one by one; the tail of more runs does not matter."""
MIN_SHARE = 0.25
"""Smallest part of a run that tells its speed; the start weighs too much in less."""

MIN_GUESSED_SHARE = 0.05
"""The same for a guess, before runs have ended."""


class HasCost(Protocol):
    """The specification of a run, as far as its time is concerned."""

    @property
    def cost(self) -> Cost:
        """Expected cost."""


class Job(Protocol):
    """A run whose time is estimated: of the queue, or of the database."""

    @property
    def run_id(self) -> str:
        """Its id."""

    @property
    def family(self) -> str:
        """The id that all runs of its arm share."""

    @property
    def spec(self) -> HasCost:
        """What it does."""


@dataclass(frozen=True)
class Timed:
    """Time that a run, or a part of one, has taken."""

    family: str
    """The arm: see `RunIdentity.family`."""
    seconds: float
    work: float
    """Floating-point operations of training and evaluation."""


@dataclass
class Attempt:
    """A run in a slot."""

    job: Job
    began: float
    share_before: float
    """Share of the run that earlier attempts have done, from 0 to 1."""
    share: float
    """Share of the run that is done."""
    seen: float
    """Time at which `share` was true."""


class TimeLeft:
    """Predicts the time of each arm's runs from those that have ended, and fills the slots with them.

    Start, evaluation and everything else that a run's slot is busy with is included. The times of
    an arm that has not ended yet are those of the others, scaled by the floating-point operations.
    """

    def __init__(
        self, jobs: Sequence[Job], slots: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._waiting = {job.run_id: job for job in jobs}
        self._slots = max(1, slots)
        self._clock = clock
        self._running: dict[str, Attempt] = {}
        self._shares: dict[str, float] = {}
        """Shares of runs that were stopped and will continue."""
        self._timed: list[Timed] = []
        self._costs: dict[str, Cost] = {}
        """By family, because a cost takes a while to compute."""
        self._ended_elsewhere = 0
        self._wanted = max(1, min(self._slots, math.ceil(len(jobs) / 10)))

    def add(self, jobs: Sequence[Job]) -> None:
        """Note further runs that wait."""
        self._waiting.update({job.run_id: job for job in jobs})

    def started(self, job: Job, steps: int) -> None:
        """Note that a run starts, of which earlier attempts have done so many steps."""
        self._waiting.pop(job.run_id, None)
        self._shares.pop(job.run_id, None)
        before = self._share_of(job, steps)
        now = self._clock()
        self._running[job.run_id] = Attempt(job, now, before, before, now)

    def advanced(self, job: Job, steps: int) -> None:
        """Note how many steps a run has done."""
        if attempt := self._running.get(job.run_id):
            share = self._share_of(job, steps)
            attempt.share_before = min(attempt.share_before, share)  # it may have begun again
            attempt.share, attempt.seen = share, self._clock()

    def stopped(self, job: Job) -> None:
        """Note that an attempt has ended without a result, and that the run waits again."""
        if attempt := self._running.pop(job.run_id, None):
            self._shares[job.run_id] = attempt.share
        self._waiting[job.run_id] = job

    def ended(self, job: Job, diverged_after: int | None = None) -> None:
        """Note that a run has ended: with its evaluation, or by diverging after so many steps."""
        self._waiting.pop(job.run_id, None)
        attempt = self._running.pop(job.run_id, None)
        share = 1.0 if diverged_after is None else self._share_of(job, diverged_after)
        if attempt and share - attempt.share_before >= MIN_SHARE:
            self._timed.append(self._time(attempt, self._clock(), share))

    def ended_elsewhere(self, job: Job) -> None:
        """Note that another command has trained a run: it shares the work."""
        self.gave_up(job)
        self._ended_elsewhere += 1

    def gave_up(self, job: Job) -> None:
        """Note that no more attempts at a run are made; its time tells nothing."""
        self._waiting.pop(job.run_id, None)
        self._running.pop(job.run_id, None)

    def seconds(self) -> float | None:
        """Seconds until the last run has ended; None until as many runs have ended as tell it.

        That is one run per slot, or a tenth of the runs if that is less.
        """
        return None if len(self._timed) < self._wanted else self._seconds(MIN_SHARE)

    def guess(self) -> float | None:
        """The same before that, from the runs that are under way; None before these tell anything."""
        return self._seconds(MIN_GUESSED_SHARE)

    @property
    def under_way(self) -> float:
        """Runs that are done in parts, added up: two that are half done are 1."""
        running = sum(each.share for each in list(self._running.values()))
        return running + sum(list(self._shares.values()))

    def _seconds(self, least: float) -> float | None:
        """Seconds until the last run has ended, by runs of which this share or more is done.

        None if there is no such run.
        """
        # One copy of each: a display computes this while the scheduler's thread adds runs.
        timed, under_way = list(self._timed), self._parts(least)
        if not timed and not under_way:
            return None
        of_all, of_arms = self._paces(timed, under_way)

        def whole(job: Job) -> float:
            return of_arms.get(job.family, of_all) * self._work(job)

        now = self._clock()
        rests = [
            max(0.0, whole(each.job) * (1 - each.share) - (now - each.seen))
            for each in list(self._running.values())
        ]
        slots = [0.0] * max(0, self._slots - len(rests)) + sorted(rests)
        ended = len(timed)
        ours = ended / (ended + self._ended_elsewhere) if ended else 1.0
        runs = [ours * whole(job) * self._share_left(job) for job in list(self._waiting.values())]
        if len(runs) > MAX_SIMULATED:
            return (sum(slots) + sum(runs)) / len(slots)
        for seconds in runs:
            heapq.heapreplace(slots, slots[0] + seconds)
        return max(slots)

    def _cost(self, job: Job) -> Cost:
        if job.family not in self._costs:
            self._costs[job.family] = job.spec.cost
        return self._costs[job.family]

    def _work(self, job: Job) -> float:
        """Floating-point operations of a run."""
        return max(1.0, self._cost(job).flops + self._cost(job).evaluation_flops)

    def _share_of(self, job: Job, steps: int) -> float:
        """The share of a run's work that so many steps are; the evaluation follows the last one."""
        cost = self._cost(job)
        if not cost.steps:  # a script does not say how many steps it has
            return 0.0
        return cost.flops * steps / max(1, cost.steps) / self._work(job)

    def _time(self, attempt: Attempt, until: float, share: float) -> Timed:
        """The time that an attempt has taken until a share of its run was done."""
        job, done = attempt.job, max(0.0, share - attempt.share_before)
        return Timed(job.family, max(until - attempt.began, 1e-6), done * self._work(job))

    def _share_left(self, job: Job) -> float:
        return 1.0 - self._shares.get(job.run_id, 0.0)

    def _paces(
        self, timed: Sequence[Timed], under_way: Sequence[Timed]
    ) -> tuple[float, dict[str, float]]:
        """Seconds per floating-point operation: of all runs together, and by arm.

        The ratios between arms come from all runs, the level from the latest ones: the machine may
        have become busy.
        """
        of_arms: dict[str, list[Timed]] = {}
        for each in [*timed, *under_way]:
            of_arms.setdefault(each.family, []).append(each)
        paces = {family: _pace(some) for family, some in of_arms.items()}
        recent = [*timed[-max(RECENT_RUNS, 2 * self._slots) :], *under_way]
        level = median(each.seconds / (paces[each.family] * each.work) for each in recent)
        of_all = _pace([*timed, *under_way])
        return level * of_all, {family: level * pace for family, pace in paces.items()}

    def _parts(self, least: float) -> list[Timed]:
        """What the running runs have taken so far; the first to end are the quickest ones."""
        return [
            self._time(each, each.seen, each.share)
            for each in list(self._running.values())
            if each.share - each.share_before >= least
        ]


def _pace(timed: Sequence[Timed]) -> float:
    return sum(each.seconds for each in timed) / sum(each.work for each in timed)
