"""One attempt at a run: its directory, progress, time limits, and the change to record at its end."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat

from sweep.executors.base import Ended, Executor
from sweep.queue.changes import Change, Claim, failed, recorded, released
from sweep.queue.leases import MAX_SECONDS_BETWEEN_CHECKS
from sweep.running.obstacles import is_disk_full
from sweep.running.retries import pause_before
from sweep.study.jobs_section import Jobs
from sweep.trainers.base import Cause, End, failure_signature
from sweep.workload.job import Job
from trainer.errors import RunDirectoryError, RunTakenError
from trainer.rundir.directory import Event, RunDirectory, parse_events

PREPARE_THREADS = 8
"""Threads that prepare run directories: a disk syncs several files as fast as one."""
TAKEN_RETRY_SECONDS = 10.0
"""Seconds before the next attempt at a run that another process trains."""
DISK_FULL_REASON = "the disk is full"


@dataclass(frozen=True)
class StopRequest:
    """Why a running attempt was asked to stop."""

    cause: Cause
    reason: str
    """The cause as a sentence for people."""

    @property
    def is_failure(self) -> bool:
        """True if the attempt counts as failed."""
        return self.cause in {Cause.STALLED, Cause.TIMED_OUT}


@dataclass
class Running:
    """An attempt that runs in a slot."""

    job: Job
    slot: str
    directory: RunDirectory
    claim: Claim
    stop: StopRequest | None = None
    """Set when the attempt is asked to stop."""
    steps_before: int = 0
    """Steps that earlier attempts have done."""
    bytes_read: int = 0
    """Bytes read from the file of events."""
    seconds: float = 0.0
    """Seconds since its start, without those in which this process was suspended."""
    silent: float = 0.0
    """Seconds since its last sign of life."""
    stopping: float = 0.0
    """Seconds since it was asked to stop."""
    was_seen: bool = False
    """True once it was seen to run; a job of a cluster waits first."""
    waiting: str | None = None
    """Why it has not begun, or waits again; None while it runs."""
    _beat: int | None = field(default=None, init=False)

    def new_events(self) -> list[Event]:
        """Return the events written since the last call."""
        try:
            with self.directory.events.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                if size < self.bytes_read:  # a resumed run drops the lines after its checkpoint
                    self.bytes_read = 0
                file.seek(self.bytes_read)
                text = file.read()
        except FileNotFoundError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self.bytes_read += len(whole)
        return parse_events(whole)

    def progress(self) -> list[Event]:
        """Return the new events of a run that has not ended; none if their file cannot be read.

        `change_after` reads the file again at the end, and then such a run fails.
        """
        try:
            return self.new_events()
        except OSError:
            return []

    def update_times(self, passed: float) -> None:
        """Check for a sign of life and add up times; `passed`: seconds since the last call.

        The run's own clock is never used. Time in which this process was suspended does not
        count, because the run may have been suspended too. Nor does time in which it waits.
        """
        passed = min(passed, MAX_SECONDS_BETWEEN_CHECKS)
        beat = self.directory.lock.last_beat()
        is_silent = beat == self._beat and not self.waiting
        self.silent = self.silent + passed if is_silent else 0.0
        self._beat = beat
        self.seconds += 0.0 if self.waiting else passed
        if self.stop:
            self.stopping += passed

    def note_waiting(self, reason: str | None) -> None:
        """Note why it waits, also in its directory, for other processes."""
        if reason == self.waiting:
            return
        self.waiting = reason
        with contextlib.suppress(OSError):  # it is only shown
            self.directory.note_waiting(reason)

    def exceeded_limit(self, settings: Jobs) -> StopRequest | None:
        """Return a request to stop if the attempt has exceeded a time limit; else None."""
        stall, limit = settings.stall_timeout, settings.timeout
        if self.silent > stall:
            missing = "output" if self.directory.script.exists() else "step"
            reason = f"no {missing} for {stall:g} s (jobs.stall_timeout): it hung"
            return StopRequest(Cause.STALLED, reason)
        if limit is not None and self.seconds > limit:
            return StopRequest(Cause.TIMED_OUT, f"not done after {limit:g} s (jobs.timeout)")
        return None


def prepare(run: Running, settings: Jobs, executor: Executor) -> Change | None:
    """Write the request into the run's directory; None if the run can start.

    Otherwise returns the change to record: the directory holds a result already, or an error
    prevents the start. Nothing is written for a job that the executor adopts: to announce this
    attempt would end the one that is running.
    """
    job, directory = run.job, run.directory
    try:
        if found := job.spec.find_result(directory):  # a scheduler ended before it recorded it
            shutil.rmtree(directory.checkpoints, ignore_errors=True)
            return recorded(job.run_id, found, None)
        if not executor.adopts(directory.path):
            directory.path.mkdir(parents=True, exist_ok=True)
            directory.lock.announce(run.claim.attempt)
            job.spec.write_request(directory, job, settings)
        directory.note_waiting(None)
        run.steps_before = max((event.step for event in run.new_events()), default=0)
    except (OSError, RunDirectoryError, RunTakenError) as error:
        return change_without_start(run, error, settings)
    return None


def prepare_all(
    ready: Sequence[Running], settings: Jobs, executor: Executor
) -> list[Change | None]:
    """Prepare several runs at the same time."""
    if len(ready) <= 1:
        return [prepare(run, settings, executor) for run in ready]
    with ThreadPoolExecutor(PREPARE_THREADS) as pool:
        return list(pool.map(prepare, ready, repeat(settings), repeat(executor)))


def change_after(run: Running, ended: Ended, settings: Jobs) -> Change:
    """Return the change to record after an attempt has ended."""
    run_id, stop = run.job.run_id, run.stop
    stopped_on_purpose = stop is not None and not stop.is_failure
    if ended.lost and not (stop and stop.is_failure):
        reason = stop.reason if stop else ended.lost
        return released(run_id, stop.cause if stop else Cause.RUNNER_LOST, reason)
    end = run.job.spec.read_end(run.directory, ended)
    if end.result:
        return recorded(run_id, end, ended.peak_bytes)
    if stop and stopped_on_purpose and (ended.signal or end.cause is Cause.STOPPED):
        return released(run_id, stop.cause, stop.reason)
    if end.cause is Cause.TAKEN:
        return released(run_id, Cause.TAKEN, end.reason or "", TAKEN_RETRY_SECONDS)
    if end.cause is Cause.DISK_FULL:
        return released(run_id, Cause.DISK_FULL, DISK_FULL_REASON)
    if stop and not stopped_on_purpose and end.cause is not Cause.REFUSED:
        end = End(cause=stop.cause, reason=stop.reason)
    return failure(run, settings, end, ended.peak_bytes)


def change_without_start(run: Running, error: Exception, settings: Jobs) -> Change:
    """Return the change to record after an attempt that could not start."""
    if is_disk_full(error):
        return released(run.job.run_id, Cause.DISK_FULL, DISK_FULL_REASON)
    if isinstance(error, RunTakenError):
        return released(run.job.run_id, Cause.TAKEN, str(error), TAKEN_RETRY_SECONDS)
    reason = str(error)
    end = End(cause=Cause.NOT_STARTED, reason=reason, signature=failure_signature(reason))
    return failure(run, settings, end)


def failure(run: Running, settings: Jobs, end: End, peak_bytes: int | None = None) -> Change:
    """Return the change to record after a failure: the run is queued again while retries are left."""
    last = end.cause is Cause.REFUSED or run.claim.failures >= settings.retries
    pause = None if last else pause_before(settings, run.claim.failures + 1)
    return failed(run.job.run_id, end, peak_bytes, pause)
