"""Keeps every slot training until all jobs have an outcome. The only writer of results."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sweep.errors import RunnerLostError
from sweep.executors.base import Ended, Executor
from sweep.ledger import directory_name
from sweep.queue import FINISHED, LEASE_SECONDS, Job, Queue
from sweep.study import Jobs
from trainer.errors import RunDirectoryError
from trainer.run import EXIT_DONE, EXIT_REFUSED, EXIT_STOPPED
from trainer.rundir import Event, Request, Result, RunDirectory, parse_events

TICK_SECONDS = 0.2
"""How long to wait for a run to end before looking at everything else."""
LOOK_SECONDS = 1.0
"""How often to look for runs that another scheduler has finished or lost."""


class Watcher(Protocol):
    """Is told what happens; shows it to somebody."""

    def started(self, job: Job, slot: str) -> None:
        """A run has been given a slot."""

    def advanced(self, job: Job, event: Event) -> None:
        """A run has taken some steps."""

    def finished(self, job: Job, result: Result) -> None:
        """A run has an outcome."""

    def elsewhere(self, job: Job, state: str) -> None:
        """Another scheduler has brought a run to an end."""

    def stopping(self) -> None:
        """No further run is started; those that go on are asked to stop."""

    def failed(self, job: Job, reason: str, *, retry: bool) -> None:
        """An attempt has failed; `retry` tells whether there will be another."""


@dataclass
class Running:
    """A run in its slot."""

    job: Job
    slot: str
    directory: RunDirectory
    read: int = 0
    """Bytes of its events that have been read."""

    def new_events(self) -> list[Event]:
        """What has been written since the last call."""
        try:
            with self.directory.events.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                if size < self.read:  # a continued run takes back its last lines
                    self.read = 0
                file.seek(self.read)
                text = file.read()
        except FileNotFoundError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self.read += len(whole)
        return parse_events(whole)


@dataclass
class Summary:
    """What became of the jobs."""

    finished: int = 0
    failed: int = 0
    interrupted: bool = False


class Scheduler:
    """Claims jobs, has them executed, and records what comes of them."""

    def __init__(
        self, queue: Queue, executor: Executor, folder: Path, watcher: Watcher, settings: Jobs
    ) -> None:
        self._queue = queue
        self._executor = executor
        self._folder = folder
        self._watcher = watcher
        self._retries = settings.retries
        self._execution = settings.execution()
        self._stopping = False
        self._told_to_stop = False
        self._free = deque(executor.slots)
        self._pending: deque[Job] = deque()
        self._elsewhere: list[Job] = []
        self._running: dict[Path, Running] = {}
        self._failures: Counter[str] = Counter()
        self._renewed = self._looked = time.monotonic()
        self._summary = Summary()

    def stop(self) -> None:
        """Claim no more, and let the running runs stop at their next step; safe in a signal."""
        self._stopping = True

    def run(self, jobs: Iterable[Job]) -> Summary:
        """Work until every job has an outcome, or until `stop` was called and the slots are empty.

        Raises StoreError or ExecutionError when it cannot go on; what is recorded stays.
        """
        self._pending.extend(jobs)
        self._executor.prepare()
        try:
            while self._has_work():
                self._fill_slots()
                for ended in self._executor.wait(TICK_SECONDS):
                    self._end(ended)
                self._show_progress()
                self._look_elsewhere()
                self._renew_leases()
                self._tell_to_stop()
        finally:
            self._give_back()
        self._summary.interrupted = self._stopping
        return self._summary

    def _has_work(self) -> bool:
        waiting = bool(self._pending or self._elsewhere) and not self._stopping
        return waiting or bool(self._running)

    def _fill_slots(self) -> None:
        while self._free and self._pending and not self._stopping:
            job = self._pending.popleft()
            if not self._queue.claim(job.run_id):
                self._elsewhere.append(job)
                continue
            directory = RunDirectory(self._folder / directory_name(job.run_id))
            try:
                result = directory.read_result()
                if result is None:
                    self._start(job, directory)
                    continue
            except (OSError, RunDirectoryError) as error:  # a full disk, a damaged folder
                self._fail(job, str(error), peak_bytes=None)
                continue
            # It was trained before, by a scheduler that ended before it could say so.
            shutil.rmtree(directory.checkpoints, ignore_errors=True)
            self._record(job, directory, result, peak_bytes=None)

    def _start(self, job: Job, directory: RunDirectory) -> None:
        directory.write_request(
            Request(
                recipe=job.recipe,
                corpus_hash=job.corpus_hash,
                execution=self._execution,
                run_id=job.run_id,
                family=job.family,
                repeat_of=job.repeat_of,
            )
        )
        if not directory.checkpoints.exists():
            directory.events.unlink(missing_ok=True)
        slot = self._free.popleft()
        self._running[directory.path.resolve()] = Running(job, slot, directory)
        self._executor.start(directory.path, slot)
        self._watcher.started(job, slot)

    def _end(self, ended: Ended) -> None:
        run = self._running.pop(ended.directory)
        self._free.append(run.slot)
        self._fill_slots()  # first, so that the slot does not wait for the disk
        if self._stopping and ended.status == EXIT_STOPPED:
            self._queue.release(run.job.run_id, "stopped at the keyboard")
            return
        try:
            result = run.directory.read_result() if ended.status == EXIT_DONE else None
            reason = _reason(run.directory, ended) if result is None else ""
        except (OSError, RunDirectoryError) as error:
            result, reason = None, str(error)
        if result is None:
            hopeless = ended.status == EXIT_REFUSED
            self._fail(run.job, reason, ended.peak_bytes, hopeless=hopeless)
        else:
            self._record(run.job, run.directory, result, ended.peak_bytes)

    def _record(
        self, job: Job, directory: RunDirectory, result: Result, peak_bytes: int | None
    ) -> None:
        if self._queue.record(job.run_id, result, directory.read_events(), peak_bytes):
            self._summary.finished += 1
            self._watcher.finished(job, result)
        else:
            self._elsewhere.append(job)  # our lease ran out: whoever took it will tell

    def _fail(
        self, job: Job, reason: str, peak_bytes: int | None, *, hopeless: bool = False
    ) -> None:
        self._failures[job.run_id] += 1
        retry = self._failures[job.run_id] <= self._retries and not hopeless
        self._queue.fail(job.run_id, reason, peak_bytes, retry=retry)
        if retry:
            self._pending.append(job)
        else:
            self._summary.failed += 1
        self._watcher.failed(job, reason, retry=retry)

    def _show_progress(self) -> None:
        for run in self._running.values():
            for event in run.new_events():
                self._watcher.advanced(run.job, event)

    def _look_elsewhere(self) -> None:
        """What another scheduler has finished is done; what it gave up is pending again."""
        if not self._elsewhere or time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        self._queue.reclaim_lost()
        states = self._queue.store.states([job.run_id for job in self._elsewhere])
        for job in self._elsewhere:
            state = states[job.run_id]
            if state in FINISHED | {"failed"}:
                self._watcher.elsewhere(job, state)
            else:
                self._pending.append(job)
        self._elsewhere.clear()

    def _renew_leases(self) -> None:
        if time.monotonic() - self._renewed > LEASE_SECONDS / 4:
            self._renewed = time.monotonic()
            self._queue.renew()

    def _tell_to_stop(self) -> None:
        if self._stopping and not self._told_to_stop:
            self._told_to_stop = True
            self._watcher.stopping()
            for run in self._running.values():
                self._executor.stop(run.directory.path)

    def _give_back(self) -> None:
        """When it ends early: runs that are still ours go back into the queue."""
        for run in self._running.values():
            with contextlib.suppress(RunnerLostError):  # then they have ended with what ran them
                self._executor.stop(run.directory.path, now=True)
        for run in self._running.values():
            self._queue.release(run.job.run_id, "its scheduler ended early")


def _reason(directory: RunDirectory, ended: Ended) -> str:
    """Why a run has failed, in a sentence."""
    last_words = directory.last_words()
    if ended.signal is not None:
        return f"ended by signal {ended.signal} ({signal.Signals(ended.signal).name})"
    return last_words or f"ended with status {ended.status} and without a word"
