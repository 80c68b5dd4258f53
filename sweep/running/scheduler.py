"""Keeps every slot training until all jobs have an outcome. The only writer of results."""

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
from sweep.progress.watcher import Summary, Watcher
from sweep.queue.changes import Change, Claim, recorded, released
from sweep.queue.control import is_paused
from sweep.queue.leases import RENEW_SECONDS
from sweep.queue.queue import Queue
from sweep.running.attempt import DISK_FULL, Running, no_start, outcome
from sweep.running.obstacles import Obstacles
from sweep.running.retries import ALIKE, Pattern
from sweep.store.ledger import directory_name
from sweep.store.states import CLOSED, FINISHED, OPEN
from sweep.study.file import Jobs
from sweep.workload.job import Job
from trainer.errors import RunDirectoryError, RunTakenError
from trainer.rundir.directory import Request, RunDirectory

TICK_SECONDS = 0.2
"""How long to wait for a run to end before looking at everything else."""
LOOK_SECONDS = 1.0
"""How often to look at what others do, and at whether the runs live."""
WRITERS = 8
"""Threads that make directories ready: the disk syncs several files in the time of one."""
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
        self._stop_reason: str | None = None
        self._told: str | None = None
        self._obstacles = Obstacles(folder)
        self._pattern = Pattern(max(len(executor.slots), ALIKE))
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
        self._stop_reason = self._stop_reason or "stopped at the keyboard"
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
        waiting = bool(self._pending or self._elsewhere) and not self._stop_reason
        return waiting or bool(self._running or self._settling)

    def _turn(self) -> None:
        """One transaction: record what has ended, and claim as many runs as there are free slots."""
        obstacles = self._obstacles
        failing = any(change.outcome == "failed" for _, change in self._settling)  # the last one?
        closed = self._stop_reason or obstacles.full or obstacles.paused or failing
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
        elif change.outcome == "failed":
            self._settle_failure(job, change)
        else:
            self._pending.append(job)
            self._watcher.stopped(job, change.reason or "")

    def _settle_failure(self, job: Job, change: Change) -> None:
        again, reason = change.state == "queued", change.reason or ""
        self._watcher.failed(job, reason, pause=change.pause if again else None)
        self._summary.failed += not again
        (self._pending if again else self._closed).append(job)
        useless = self._pattern.saw_failure(job.run_id, reason, for_good=not again)
        if useless:
            self._give_up(useless)
        elif self._settings.fail_fast and not again:
            self._give_up(f"a run has failed for good: {reason}")

    def _give_up(self, reason: str) -> None:
        if self._pending or self._elsewhere or self._running:
            self._stop_reason = self._stop_reason or reason
            self._summary.given_up = self._summary.given_up or reason

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
            result = directory.read_result()
            if result:
                # It was trained before, by a scheduler that ended before it could say so.
                shutil.rmtree(directory.checkpoints, ignore_errors=True)
                return recorded(job.run_id, result, directory.read_events(), None)
            directory.path.mkdir(parents=True, exist_ok=True)
            directory.lock.announce(run.claim.attempt)
            directory.write_request(_request(job, self._settings.jobs))
            run.new_events()  # those of earlier attempts
        except (OSError, RunDirectoryError, RunTakenError) as error:
            return no_start(run, error, self._settings.jobs)
        return None

    def _end(self, ended: Ended) -> None:
        run = self._running.pop(ended.directory)
        self._free.append(run.slot)
        self._add(run.job, outcome(run, ended, self._settings.jobs))

    def _add(self, job: Job, change: Change) -> None:
        """The next turn makes this change."""
        if change.reason == DISK_FULL:
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
                self._ask_to_stop(run, "it is no longer ours")
        paused = is_paused(self._queue.store, self._settings.study)
        self._obstacles.paused = self._settings.study if paused else None
        if self._elsewhere:
            self._queue.reclaim_lost()
        states = self._queue.store.states([job.run_id for job in self._elsewhere + self._closed])
        for job in self._elsewhere:
            if states[job.run_id] in FINISHED | CLOSED:
                self._watcher.elsewhere(job, states[job.run_id])
        self._pending += [job for job in self._elsewhere if states[job.run_id] in OPEN]
        self._pending += [job for job in self._closed if states[job.run_id] in OPEN]
        self._closed = [
            job for job in self._elsewhere + self._closed if states[job.run_id] in CLOSED
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
            too_long = run.too_long(jobs)
            if too_long and not run.stopping:
                self._ask_to_stop(run, too_long, blame=True)
            elif run.asked > jobs.stop_seconds:
                self._executor.stop(run.directory.path, now=True)

    def _ask_to_stop(self, run: Running, reason: str, *, blame: bool = False) -> None:
        if not run.stopping:
            run.stopping, run.blamed = reason, blame
            self._executor.stop(run.directory.path)

    def _tell(self) -> None:
        """Say why no run is started, once, and have those stop that are to."""
        reason = self._stop_reason or self._obstacles.sentence()
        if reason != self._told:
            self._told = reason
            if reason is None:
                self._watcher.going_on()
            elif self._stop_reason:
                self._watcher.stopping(reason)
            else:
                self._watcher.waiting(reason)
        if self._stop_reason or self._obstacles.paused:
            for run in self._running.values():
                self._ask_to_stop(run, self._stop_reason or "the study was paused")

    def _give_back(self) -> None:
        """When it ends early: runs that are still ours go back into the queue."""
        for run in self._running.values():
            self._executor.stop(run.directory.path, now=True)
        early = [
            released(run.job.run_id, "its scheduler ended early") for run in self._running.values()
        ]
        with contextlib.suppress(StoreBusyError):  # then they are found to be lost
            self._queue.turn([*early, *(change for _, change in self._settling)])


def _request(job: Job, jobs: Jobs) -> Request:
    """What the run's process is asked to do."""
    return Request(
        recipe=job.recipe,
        corpus_hash=job.corpus_hash,
        weights_hash=job.weights and job.weights.hash,
        weights=job.weights and job.weights.folder,
        execution=jobs.execution(),
        run_id=job.run_id,
        family=job.family,
        repeat_of=job.repeat_of,
    )
