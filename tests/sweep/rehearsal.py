"""A scheduler with an executor that trains nothing, and the output of its watcher."""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from sweep.executors.base import Ended, OfThisMachine
from sweep.progress.plain import PlainProgress
from sweep.queue.queue import Queue
from sweep.running.job_source import NO_SOURCE, JobSource
from sweep.running.scheduler import Scheduler
from sweep.running.settings import Settings
from sweep.store.store import Store
from sweep.study.jobs_section import Jobs
from sweep.workload.job import Job
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit

Behaviour = Callable[[RunDirectory, int], int | None]
"""Performs the nth attempt at a run, counted from 1; returns its exit status, None if killed."""


class Rehearsal(OfThisMachine):
    """An executor that trains nothing: a run ends at the next wait, or when it is stopped."""

    def __init__(self, behave: Behaviour, slots: int = 2, pause: float = 0.0) -> None:
        self.slots: Sequence[str] = [f"place {number}" for number in range(slots)]
        self.behave = behave
        self.pause = pause
        self.started: list[Path] = []
        self.most = 0
        self.endless = False
        self.ready = False
        self._running: dict[str, Path] = {}
        self._ended: list[Ended] = []

    def prepare(self) -> None:
        self.ready = True

    def start(self, directory: Path, slot: str, attempt: int) -> None:
        assert attempt > sum(path == directory for path in self.started)
        assert self.ready
        assert slot in self.slots
        assert slot not in self._running, "the slot is not free"
        assert RunDirectory(directory).read_request()
        self.started.append(directory)
        self._running[slot] = directory
        self.most = max(self.most, len(self._running))

    def wait(self, seconds: float) -> list[Ended]:
        assert seconds > 0
        time.sleep(self.pause)
        if self._running and not self.endless:
            slot, directory = next(iter(self._running.items()))
            number = sum(each == directory for each in self.started)
            status = self.behave(RunDirectory(directory), number)
            self._end(slot, status, 9 if status is None else None)
        ended, self._ended = self._ended, []
        return ended

    def stop(self, directory: Path, *, now: bool = False) -> None:
        for slot, running in list(self._running.items()):
            if running == directory:
                self._end(slot, None if now else Exit.STOPPED, 9 if now else None)

    def close(self) -> None:
        self._running.clear()

    def _end(self, slot: str, status: int | None, signal: int | None) -> None:
        directory = self._running.pop(slot)
        self._ended.append(Ended(directory.resolve(), status, signal, 1024))


class Desk:
    """A scheduler with everything it needs, and the text that it showed."""

    def __init__(
        self,
        store: Store,
        executor: Rehearsal,
        folder: Path,
        owner: str = "me:1:1",
        retries: int = 2,
        source: JobSource = NO_SOURCE,
    ) -> None:
        self.seen = io.StringIO()
        self.executor = executor
        self.store = store
        watcher = PlainProgress(Console(file=self.seen, width=200), {}, 6)
        self.scheduler = Scheduler(
            Queue(store, owner),
            executor,
            folder,
            watcher,
            Settings(Jobs(retries=retries, retry_seconds=0), source=source),
        )


def loss_of(seed: int) -> float:
    return seed / 16


def folder_of(desk: Desk, job: Job) -> Path:
    assert desk.store.ledger
    return desk.store.ledger.run(job.run_id).path


def states(desk: Desk, jobs: list[Job]) -> Counter[str]:
    return Counter(desk.store.states([job.run_id for job in jobs]).values())
