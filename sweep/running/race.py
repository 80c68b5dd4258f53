"""The rounds of a race: which runs come next follows from the results in the store alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from sweep.design.plan import Plan
from sweep.history.record import add_members
from sweep.queue.queue import Queue
from sweep.running.supplier import Round
from sweep.store.store import Store
from sweep.terminal.printable import harmless
from sweep.verdicts.racing import race_standing
from sweep.workload.job import Job, label_jobs
from sweep.workload.workload import Workload
from trainer.words import counted

if TYPE_CHECKING:
    from analysis.race import Standing

Cell = tuple[str, int]
"""An arm and a seed of the study."""


class Race:
    """Supplies the runs of a race, round by round.

    Two schedulers that race together decide the same, because they read the same results; each
    trains what it can claim of a round. If the study gets another plan meanwhile, the race ends.
    """

    def __init__(self, store: Store, queue: Queue, workload: Workload) -> None:
        self._store = store
        self._queue = queue
        self._plan = workload.plan
        self._jobs = workload.jobs()
        self._told: set[str] = set()
        """Arms of which people know that they have left."""

    def more(self, room: int | None) -> Round:
        """Return the runs of the next round; none if the race is over or the round does not fit."""
        news: list[str] = []
        while True:
            study = self._store.study(self._plan.study.name)
            if study.plan_hash != self._plan.hash:
                return Round(news=news)
            standing = race_standing(self._store, study)
            news += self._news(standing, self._store.plan(study).stopped)
            wanted = {cell: self._jobs[cell] for cell in standing.wanted}
            missing = {cell: wanted[cell] for cell in self._open(wanted)}
            if not wanted or (room is not None and len(missing) > room):
                return Round(news=news, fits=not wanted)
            self._queue.add_new(wanted.values())
            ids = {cell: job.run_id for cell, job in wanted.items()}
            if not add_members(self._store, self._plan, ids):
                return Round(news=news)
            if missing:
                return Round(jobs=label_jobs(missing), news=news)
            # The results exist already: they decide about the round after it.

    def _open(self, wanted: Mapping[Cell, Job]) -> list[Cell]:
        """The runs that have not ended, or that the store does not have yet."""
        states = self._store.states([job.run_id for job in wanted.values()])
        return [
            cell
            for cell, job in wanted.items()
            if job.run_id not in states or states[job.run_id].is_open
        ]

    def _news(self, standing: Standing, stopped: Collection[str]) -> list[str]:
        """Say which arms have left since the last call, but for those that were stopped early."""
        fresh = [arm for arm in standing.left if arm not in self._told and arm not in stopped]
        self._told.update(fresh)
        return [left_words(arm, standing) for arm in fresh]


def left_words(arm: str, standing: Standing) -> str:
    """`better after 5 seeds: no-dropout`."""
    seeds = standing.left[arm]
    when = f"after {counted(seeds, 'seed')}" if seeds else "before the race"
    return f"{standing.verdicts[arm]} {when}: {harmless(arm)}"


def asked_cells(store: Store | None, plan: Plan) -> set[Cell]:
    """The runs of a race so far: those of its start, and of the rounds that the store knows."""
    cells = set(plan.first_cells)
    if store is None:
        return cells
    known = store.study_if_any(plan.study.name)
    if known is None or known.plan_hash != plan.hash:
        return cells
    return cells | {(each.arm, each.seed) for each in store.study_runs(plan.study.name)}
