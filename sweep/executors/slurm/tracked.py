"""The jobs that an executor watches, and what Slurm says of each."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from sweep.executors.base import Ended
from sweep.executors.slurm.batch import BatchFolder, JobNote, read_note
from sweep.executors.slurm.client import Phase, Queued, Task
from trainer.files import look_again
from trainer.rundir.attempt_end import read_end
from trainer.rundir.attempt_end import read_note as read_worker_note
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit

Queue = Mapping[tuple[str, int], Queued]
"""The jobs in Slurm's queue, by the name of the array and the index in it."""
ENDING_SECONDS = 300.0
"""Seconds that a job may be completing. One that is queued again is, until its processes have ended."""


class Asked(Enum):
    """What a job was asked for."""

    NOTHING = auto()
    STOP = auto()
    KILL = auto()


@dataclass
class Tracked:
    """A submitted job."""

    directory: Path
    attempt: int
    folder: BatchFolder
    index: int
    array: int | None
    """Id of the array; None until it is found in the queue by its name."""
    queued: Queued | None = None
    """What Slurm said last; None if it is not in the queue, or was not looked for yet."""
    gone_since: float | None = None
    """Monotonic time since which it is not in the queue."""
    asked: Asked = Asked.NOTHING
    asked_at: float = -float("inf")
    """Monotonic time at which Slurm was told."""

    @property
    def task(self) -> Task | None:
        """Its name in Slurm."""
        return None if self.array is None else Task(self.array, self.index)

    @property
    def runs(self) -> bool:
        """True if it ran when Slurm was asked last."""
        return self.queued is not None and self.queued.phase is Phase.RUNNING

    @property
    def has_begun(self) -> bool:
        """True if a node has begun the attempt."""
        note = read_worker_note(RunDirectory(self.directory))
        return note is not None and note.attempt == self.attempt

    @property
    def writes_nothing(self) -> bool:
        """True if no node will write its end: it was asked for it in a way that leaves no time."""
        return self.asked is Asked.KILL or (self.asked is Asked.STOP and not self.has_begun)

    def update(self, queue: Queue) -> None:
        """Take over what Slurm says."""
        self.queued = queue.get((self.folder.name, self.index))
        if self.queued is None or self.queued.phase is Phase.ENDING:
            self.gone_since = self.gone_since or time.monotonic()
            look_again(self.directory)  # the node may have written its end
            return
        self.gone_since = None
        self.array = self.queued.task.array

    def waiting(self) -> str | None:
        """Return why it waits; None if it runs or has ended."""
        if self.queued is None:
            return None if self.gone_since else f"Slurm job {self.task} was submitted"
        if self.queued.phase is Phase.PENDING:
            return f"Slurm job {self.task} waits: {self.queued.reason}"
        return None

    def ended_as(self, state: str) -> Ended | None:
        """Return the end that a state of Slurm stands for; None if the run can do nothing about it."""
        if self.asked is not Asked.NOTHING:
            killed = self.asked is Asked.KILL and self.has_begun
            number = signal.SIGKILL if killed else None
            return Ended(self.directory, None if killed else Exit.STOPPED, number)
        if state.startswith("OUT_OF_ME"):
            return Ended(self.directory, None, signal.SIGKILL, out_of_memory=True)
        reasons = {
            "TIMEOUT": "was ended at its time limit; raise jobs.slurm.time",
            "DEADLINE": "was ended at its deadline; raise jobs.slurm.time",
            "CANCELLED": "was cancelled in Slurm (scancel)",
        }
        if state in reasons:
            reason = f"Slurm job {self.task} {reasons[state]}"
            return Ended(self.directory, None, signal.SIGKILL, reason=reason)
        return None


def open_note(directory: Path) -> JobNote | None:
    """Return the job of a run's latest attempt; None if there is none, or a node wrote its end."""
    note = read_note(directory)
    return note and (None if read_end(RunDirectory(directory), note.attempt) else note)


def queue_of(jobs: Iterable[Queued]) -> Queue:
    """The jobs that Slurm lists, to be found by their names."""
    return {(each.name, each.task.element): each for each in jobs}


def find_job(runs: Path, directory: Path, note: JobNote, queue: Queue | None) -> Tracked | None:
    """Return the job that a run directory names if it waits or runs; None if it has left the queue.

    `queue`: None while Slurm does not answer. The job may be there then, and is to be watched.
    """
    made = tracked(runs, directory, note)
    if queue is not None:
        made.update(queue)
    return None if made.gone_since else made


def tracked(runs: Path, directory: Path, note: JobNote) -> Tracked:
    """Return the job that a run directory names."""
    folder = BatchFolder(runs, note.batch)
    return Tracked(directory.resolve(), note.attempt, folder, note.index, folder.read_id())
