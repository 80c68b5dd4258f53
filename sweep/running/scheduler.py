"""The scheduler: keeps every slot busy until all jobs have an outcome, and records results."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sweep.errors import StoreBusyError
from sweep.executors.base import Ended, Executor
from sweep.progress.watcher import Stop, Stopping, Summary, Waiting, Watcher
from sweep.progress.words import stop_words
from sweep.queue.changes import Change, Claim, released
from sweep.queue.control import is_paused
from sweep.queue.leases import RENEW_SECONDS
from sweep.queue.queue import Queue
from sweep.running.attempt import (
    Running,
    StopRequest,
    change_after,
    change_without_start,
    found_result,
)
from sweep.running.obstacles import Obstacles
from sweep.running.retries import MIN_ALIKE, FailurePattern
from sweep.store.ledger import directory_name
from sweep.store.states import AttemptOutcome, RunState
from sweep.study.file import Jobs
from sweep.trainers.base import Cause
from sweep.workload.job import Job
from trainer.errors import RunDirectoryError, RunTakenError
from trainer.rundir.directory import RunDirectory

TICK_SECONDS = 0.2
"""How long to wait for a run to end before looking at everything else."""
LOOK_SECONDS = 1.0
"""How often to look at what others do, and at whether the runs live."""
WRITERS = 8
"""Threads that make directories ready: the disk syncs several files in the time of one."""
NOT_OURS = "cancelled, or taken over by another scheduler"
AHEAD = 100
"""Jobs that are asked for at once: another scheduler may have taken the first ones."""


@dataclass(frozen=True)
class Settings:
    """How a scheduler goes about it."""

    jobs: Jobs
    study: str | None = None
    """Whose pauses are heeded."""
    fail_fast: bool = False
    """Whether the first run that fails for good ends it all."""


class Scheduler:
    """Claims jobs, has them executed, and records what comes of them."""

    def __init__(
        self, queue: Queue, executor: Executor, folder: Path, watcher: Watcher, settings: Settings
    ) -> None:
        self._queue = queue
        self._executor = executor
        self._folder = folder
        self._watcher = watcher
        self._settings = settings
        self._stop: Stopping | None = None
        self._told: Stopping | Waiting | None = None
        self._obstacles = Obstacles(folder)
        self._pattern = FailurePattern(max(len(executor.slots), MIN_ALIKE))
        self._free = deque(executor.slots)
        self._pending: deque[Job] = deque()
        self._elsewhere: list[Job] = []
        """Jobs that are not ours to run, for now."""
        self._closed: list[Job] = []
        """Jobs that have failed or were cancelled: somebody may want them again."""
        self._running: dict[Path, Running] = {}
        self._settling: list[tuple[Job, Change]] = []
        """Changes that the database has not taken yet."""
        self._renewed = self._looked = time.monotonic()
        self._summary = Summary()

    def stop(self) -> None:
        """Claim no more, and let the running runs stop at their next step; safe in a signal."""
        self._stop = self._stop or Stopping(Stop.KEYBOARD)
        self._summary.interrupted = True

    def run(self, jobs: Iterable[Job]) -> Summary:
        """Work until every job has an outcome, or until `stop` was called and the slots are empty.

        Raises StoreError or ExecutionError when it cannot go on; what is recorded stays.
        """
        self._pending.extend(jobs)
        self._executor.prepare()
        try:
            while self._has_work():
                self._turn()
                hurry = self._settling and not self._obstacles.database
                for ended in self._executor.wait(0.001 if hurry else TICK_SECONDS):
                    self._end(ended)
                self._show_progress()
                self._look()
                self._tell()
        finally:
            self._give_back()
        return self._summary

    def _has_work(self) -> bool:
        waiting = bool(self._pending or self._elsewhere) and not self._stop
        return waiting or bool(self._running or self._settling)

    def _turn(self) -> None:
        """One transaction: record what has ended, and claim as many runs as there are free slots."""
        obstacles = self._obstacles
        outcomes = [change.outcome for _, change in self._settling]
        failing = AttemptOutcome.FAILED in outcomes  # it may lead to giving up
        closed = self._stop or obstacles.disk_full or obstacles.paused or failing
        number = 0 if closed else len(self._free)
        wanted = {job.run_id: job for job in list(self._pending)[: number and number + AHEAD]}
        try:
            turn = self._queue.turn([change for _, change in self._settling], [*wanted], number)
        except StoreBusyError as error:
            obstacles.database = str(error)
            return
        obstacles.database = None
        settled, self._settling = self._settling, []
        for job, change in settled:
            self._settle(job, change, kept=change.run_id in turn.kept)
        for _ in wanted:
            self._pending.popleft()
        claims = {claim.run_id: claim for claim in turn.claimed}
        rest = [job for job in wanted.values() if job.run_id not in turn.taken | claims.keys()]
        self._pending.extendleft(reversed(rest))
        self._elsewhere.extend(wanted[run_id] for run_id in turn.taken)
        self._begin([(wanted[run_id], claim) for run_id, claim in claims.items()])

    def _settle(self, job: Job, change: Change, *, kept: bool) -> None:
        """The database has taken a change, or has refused it: the run was no longer ours."""
        if not kept:
            self._elsewhere.append(job)  # whoever took it will tell
        elif change.result:
            self._pattern.saw_success()
            self._obstacles.saw_success()
            self._summary.finished += 1
            self._watcher.finished(job, change.result)
        elif change.outcome is AttemptOutcome.FAILED:
            self._settle_failure(job, change)
        else:
            self._pending.append(job)
            self._watcher.stopped(job, change.reason or "")

    def _settle_failure(self, job: Job, change: Change) -> None:
        again, reason = change.state is RunState.QUEUED, change.reason or ""
        self._watcher.failed(job, reason, pause=change.pause if again else None)
        self._summary.failed += not again
        (self._pending if again else self._closed).append(job)
        if self._pattern.saw_failure(change, for_good=not again):
            self._give_up(Stopping(Stop.ALL_FAIL_ALIKE, self._pattern.failed, reason))
        elif self._settings.fail_fast and not again:
            self._give_up(Stopping(Stop.FAIL_FAST, 1, reason))

    def _give_up(self, why: Stopping) -> None:
        if self._pending or self._elsewhere or self._running:
            self._stop = self._stop or why
            self._summary.gave_up = self._summary.gave_up or why

    def _begin(self, claimed: Sequence[tuple[Job, Claim]]) -> None:
        """Start the runs that were claimed, those apart whose directory holds the outcome already."""
        ready = [
            Running(
                job,
                self._free.popleft(),
                RunDirectory(self._folder / directory_name(job.run_id)),
                claim,
            )
            for job, claim in claimed
        ]
        with ThreadPoolExecutor(WRITERS) as pool:
            for run, change in zip(ready, pool.map(self._prepare, ready), strict=True):
                if change:
                    self._free.append(run.slot)
                    self._add(run.job, change)
                else:
                    self._running[run.directory.path.resolve()] = run
                    self._executor.start(run.directory.path, run.slot, run.claim.attempt)
                    self._watcher.started(run.job, run.slot)

    def _prepare(self, run: Running) -> Change | None:
        """Make a run's directory ready, unless it has an outcome, or something is in the way."""
        job, directory = run.job, run.directory
        try:
            if change := found_result(run):
                shutil.rmtree(directory.checkpoints, ignore_errors=True)
                return change
            directory.path.mkdir(parents=True, exist_ok=True)
            directory.lock.announce(run.claim.attempt)
            job.spec.write_request(directory, job, self._settings.jobs)
            run.new_events()  # those of earlier attempts
        except (OSError, RunDirectoryError, RunTakenError) as error:
            return change_without_start(run, error, self._settings.jobs)
        return None

    def _end(self, ended: Ended) -> None:
        run = self._running.pop(ended.directory)
        self._free.append(run.slot)
        self._add(run.job, change_after(run, ended, self._settings.jobs))

    def _add(self, job: Job, change: Change) -> None:
        """The next turn makes this change."""
        if change.cause is Cause.DISK_FULL:
            self._obstacles.met_full_disk()
        self._settling.append((job, change))

    def _show_progress(self) -> None:
        for run in self._running.values():
            for event in run.new_events():
                self._watcher.advanced(run.job, event)

    def _look(self) -> None:
        """At what others do, and at whether the runs live."""
        passed = time.monotonic() - self._looked
        if passed < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        self._obstacles.look()
        with contextlib.suppress(StoreBusyError):  # the next turn tells
            self._look_at_others()
            self._renew_leases()
        self._look_at_runs(passed)

    def _look_at_others(self) -> None:
        """What another has finished is done; what it gave up is pending again."""
        lost = self._queue.lost()
        for run in self._running.values():
            if run.job.run_id in lost:
                self._ask_to_stop(run, StopRequest(Cause.STOPPED, NOT_OURS))
        paused = is_paused(self._queue.store, self._settings.study)
        self._obstacles.paused = self._settings.study if paused else None
        if self._elsewhere:
            self._queue.reclaim_lost()
        states = self._queue.store.states([job.run_id for job in self._elsewhere + self._closed])
        for job in self._elsewhere:
            if not states[job.run_id].is_open:
                self._watcher.elsewhere(job, states[job.run_id])
        self._pending += [job for job in self._elsewhere if states[job.run_id].is_open]
        self._pending += [job for job in self._closed if states[job.run_id].is_open]
        self._closed = [
            job for job in self._elsewhere + self._closed if states[job.run_id].is_closed
        ]
        self._elsewhere.clear()

    def _renew_leases(self) -> None:
        if time.monotonic() - self._renewed > RENEW_SECONDS:
            self._queue.renew()
            self._renewed = time.monotonic()

    def _look_at_runs(self, passed: float) -> None:
        jobs = self._settings.jobs
        for run in self._running.values():
            run.look(passed)
            exceeded = run.exceeded_limit(jobs)
            if exceeded and not run.stop:
                self._ask_to_stop(run, exceeded)
            elif run.stopping > jobs.stop_seconds:
                self._executor.stop(run.directory.path, now=True)

    def _ask_to_stop(self, run: Running, request: StopRequest) -> None:
        if not run.stop:
            run.stop = request
            self._executor.stop(run.directory.path)

    def _tell(self) -> None:
        """Report once why no run is started, and stop the running ones if they should stop."""
        why = self._stop or self._obstacles.waiting()
        if why != self._told:
            self._told = why
            if why is None:
                self._watcher.resumed()
            elif isinstance(why, Stopping):
                self._watcher.stopping(why)
            else:
                self._watcher.waiting(why)
        if self._stop or self._obstacles.paused:
            reason = stop_words(self._stop) if self._stop else "the study was paused"
            for run in self._running.values():
                self._ask_to_stop(run, StopRequest(Cause.STOPPED, reason))

    def _give_back(self) -> None:
        """When it ends early: runs that are still ours go back into the queue."""
        for run in self._running.values():
            self._executor.stop(run.directory.path, now=True)
        early = [
            released(run.job.run_id, Cause.STOPPED, "its scheduler ended early")
            for run in self._running.values()
        ]
        with contextlib.suppress(StoreBusyError):  # then they are found to be lost
            self._queue.turn([*early, *(change for _, change in self._settling)])
