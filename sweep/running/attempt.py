"""An attempt at a run: what it has written, whether it lives, what it comes to."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field

from sweep.executors.base import Ended
from sweep.queue.changes import Change, Claim, failed, recorded, released
from sweep.queue.leases import LONGEST_LOOK
from sweep.running.obstacles import is_disk_full
from sweep.running.retries import pause_before
from sweep.study.file import Jobs
from sweep.workload.job import Job
from trainer.errors import RunDirectoryError, RunTakenError
from trainer.rundir.directory import Event, RunDirectory, parse_events
from trainer.rundir.exits import Exit

BUSY_PAUSE = 10.0
"""Seconds before a run is tried again that another process still trains."""
DISK_FULL = "the disk is full"


@dataclass
class Running:
    """A run in its slot."""

    job: Job
    slot: str
    directory: RunDirectory
    claim: Claim
    stopping: str | None = None
    """Why it was asked to stop, if it was."""
    blamed: bool = False
    """Whether that counts as a failure."""
    read: int = 0
    """Bytes of its events that have been read."""
    lasted: float = 0.0
    """Seconds since it was started, as far as anybody looked on."""
    silent: float = 0.0
    """Seconds since its last sign of life."""
    asked: float = 0.0
    """Seconds since it was asked to stop."""
    _beat: int | None = field(default=None, init=False)

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

    def look(self, passed: float) -> None:
        """See whether it has given a sign of life; `passed` seconds since the last look.

        No clock is compared with that of the run, and time in which this process was suspended
        does not count: the run may have been, too.
        """
        passed = min(passed, LONGEST_LOOK)
        beat = self.directory.lock.last_beat()
        self.silent = self.silent + passed if beat == self._beat else 0.0
        self._beat = beat
        self.lasted += passed
        if self.stopping:
            self.asked += passed

    def too_long(self, settings: Jobs) -> str | None:
        """Why it is to be ended, if it is."""
        if self.silent > settings.stall_timeout:
            return f"no step for {settings.stall_timeout:g} s (jobs.stall_timeout): it hung"
        if settings.timeout is not None and self.lasted > settings.timeout:
            return f"not done after {settings.timeout:g} s (jobs.timeout)"
        return None


def outcome(run: Running, ended: Ended, settings: Jobs) -> Change:
    """What an attempt that has ended comes to."""
    run_id, directory = run.job.run_id, run.directory
    if ended.lost and not run.blamed:
        return released(run_id, run.stopping or ended.lost)
    try:
        result = directory.read_result() if ended.status == Exit.DONE else None
        if result:
            return recorded(run_id, result, directory.read_events(), ended.peak_bytes)
        reason = _why(directory, ended)
    except (OSError, RunDirectoryError) as error:
        reason = str(error)
    if run.stopping and not run.blamed and (ended.signal or ended.status == Exit.STOPPED):
        return released(run_id, run.stopping)
    if ended.status == Exit.TAKEN:
        return released(run_id, reason, BUSY_PAUSE)
    if ended.status == Exit.DISK_FULL:
        return released(run_id, DISK_FULL)
    if run.stopping and run.blamed:
        reason = run.stopping
    hopeless = ended.status == Exit.REFUSED
    return failure(run, settings, reason, peak_bytes=ended.peak_bytes, hopeless=hopeless)


def no_start(run: Running, error: Exception, settings: Jobs) -> Change:
    """What an attempt comes to that could not begin."""
    if is_disk_full(error):
        return released(run.job.run_id, DISK_FULL)
    if isinstance(error, RunTakenError):
        return released(run.job.run_id, str(error), BUSY_PAUSE)
    return failure(run, settings, str(error))


def failure(
    run: Running,
    settings: Jobs,
    reason: str,
    *,
    peak_bytes: int | None = None,
    hopeless: bool = False,
) -> Change:
    """The attempt has failed, and is the last one when its retries are spent."""
    last = hopeless or run.claim.failures >= settings.retries
    again = None if last else pause_before(settings, run.claim.failures + 1)
    return failed(run.job.run_id, reason, peak_bytes, again)


def _why(directory: RunDirectory, ended: Ended) -> str:
    """Why a run has failed, in a sentence."""
    peak = f"{ended.peak_bytes / 1e9:.2f} GB resident" if ended.peak_bytes else "memory unknown"
    if ended.out_of_memory:
        return (
            f"out of memory: the kernel ended it (SIGKILL) at {peak}; set a smaller "
            "jobs.micro_batch, run fewer at once (--slots), or give it more memory"
        )
    if ended.signal is not None:
        words = f"ended by signal {ended.signal} ({signal.Signals(ended.signal).name})"
        known = ended.out_of_memory is False
        return f"{words} at {peak}: somebody's, and not for lack of memory" if known else words
    last_words = directory.last_words()
    if ended.status == Exit.OUT_OF_MEMORY:
        return f"{last_words} (at its peak: {peak})"
    return last_words or f"ended with status {ended.status} and without a word"
