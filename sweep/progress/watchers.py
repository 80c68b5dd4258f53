"""Several watchers of one scheduler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sweep.progress.watcher import Stopping, Waiting, Watcher
from sweep.store.states import RunState
from sweep.workload.job import Job
from trainer.rundir.directory import Event, Result


class Watchers:
    """Passes each report on to all of them, in their order; a `Watcher` itself."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = watchers

    def started(self, job: Job, slot: str, steps: int = 0) -> None:
        for each in self._watchers:
            each.started(job, slot, steps)

    def advanced(self, job: Job, event: Event) -> None:
        for each in self._watchers:
            each.advanced(job, event)

    def finished(self, job: Job, result: Result) -> None:
        for each in self._watchers:
            each.finished(job, result)

    def elsewhere(self, job: Job, state: RunState) -> None:
        for each in self._watchers:
            each.elsewhere(job, state)

    def stopped(self, job: Job, reason: str) -> None:
        for each in self._watchers:
            each.stopped(job, reason)

    def stopping(self, stopping: Stopping) -> None:
        for each in self._watchers:
            each.stopping(stopping)

    def waiting(self, waiting: Waiting) -> None:
        for each in self._watchers:
            each.waiting(waiting)

    def resumed(self) -> None:
        for each in self._watchers:
            each.resumed()

    def supplied(self, jobs: Mapping[str, Job], news: Sequence[str]) -> None:
        for each in self._watchers:
            each.supplied(jobs, news)

    def failed(self, job: Job, reason: str, *, pause: float | None) -> None:
        for each in self._watchers:
            each.failed(job, reason, pause=pause)
