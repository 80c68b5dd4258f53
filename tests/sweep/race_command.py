"""What `sweep run` does with a race, with an executor that trains nothing."""

from __future__ import annotations

import io
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from rich.console import Console

from sweep.design.arms import make_plan
from sweep.design.plan import Plan
from sweep.history.record import save_plan
from sweep.progress.plain import PlainProgress
from sweep.progress.watcher import Summary
from sweep.queue.queue import Queue
from sweep.running.budget import NO_BUDGET, Budget
from sweep.running.race import Race, asked_cells
from sweep.running.scheduler import Scheduler
from sweep.running.settings import Settings
from sweep.running.train import unfinished
from sweep.store.store import Store
from sweep.study.file import parse_study
from sweep.study.jobs_section import Jobs
from sweep.trainers.base import RunIdentity, RunSpec
from sweep.workload.job import label_jobs
from sweep.workload.workload import Workload
from tests.sweep.rehearsal import Behaviour, Rehearsal
from tests.sweep.stores import Trainer

Cell = tuple[str, int]
Content = dict[str, Any]


class Inputs:
    """Identifies runs without a corpus."""

    def identify(self, specs: Sequence[Any]) -> list[tuple[RunIdentity, RunSpec]]:
        jobs = [Trainer.job(spec.identity, spec.recipe) for spec in specs]
        return [
            (RunIdentity(run_id=j.run_id, family=j.family, corpus_hash=j.corpus_hash), j.spec)
            for j in jobs
        ]


def planned(content: Content) -> Plan:
    return make_plan(parse_study(deepcopy(content), "s.toml"), "s.toml")


class Command:
    """What `sweep run` does with a race, but for the trainer."""

    def __init__(self, store: Store, folder: Path, content: Content, behave: Behaviour) -> None:
        self.store, self.folder = store, folder
        self.workload = Workload(planned(content), Inputs())  # type: ignore[arg-type]
        self.executor = Rehearsal(behave)
        self.seen = io.StringIO()

    def __call__(self, owner: str = "me:1:1", budget: Budget = NO_BUDGET) -> Summary:
        plan, every = self.workload.plan, self.workload.jobs()
        asked = asked_cells(self.store, plan)
        jobs = {cell: job for cell, job in every.items() if cell in asked}
        queue = Queue(self.store, owner)
        queue.enqueue(jobs.values())
        ids = {cell: job.run_id for cell, job in jobs.items()}
        save_plan(self.store, plan, self.folder / "s.toml", ids)
        race = Race(self.store, queue, self.workload)
        settings = Settings(Jobs(retries=0), "tiny", budget=budget, supplier=race)
        watcher = PlainProgress(Console(file=self.seen, width=200), {}, len(jobs))
        self.scheduler = Scheduler(queue, self.executor, self.folder / "runs", watcher, settings)
        watcher.labels = {job.run_id: label for label, job in label_jobs(jobs).items()}
        return self.scheduler.run(unfinished(self.store, list(jobs.values())))

    @property
    def cells(self) -> set[Cell]:
        """The runs that the study has."""
        return {(each.arm, each.seed) for each in self.store.study_runs("tiny")}
