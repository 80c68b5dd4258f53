"""Reports of a scheduler while it works, and its summary at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from sweep.store.states import RunState
from sweep.workload.job import Job
from trainer.rundir.directory import Event, Result


class Stop(Enum):
    """Why a scheduler starts no further runs and asks the running ones to stop."""

    KEYBOARD = auto()
    """Ctrl-C, or SIGTERM if runs end with their scheduler."""
    HANGUP = auto()
    """The terminal was closed: SIGHUP; also SIGTERM if runs go on without their scheduler."""
    ALL_FAIL_ALIKE = auto()
    """The first runs all failed for the same reason."""
    FAIL_FAST = auto()
    """A run failed for good, and `--fail-fast` was given."""


class Hindrance(Enum):
    """Why no run is started for now."""

    DISK_FULL = auto()
    DISK_FULL_AGAIN = auto()
    """The freed space was too little for the runs that train at the same time."""
    DATABASE = auto()
    """The database cannot be written."""
    PAUSED = auto()
    """The study was paused."""
    EXECUTOR = auto()
    """The executor can start no run for now."""


@dataclass(frozen=True)
class Waiting:
    """Why no run is started for now, with details."""

    hindrance: Hindrance
    where: str
    """The folder of runs, the study, or the message of the database or the executor."""
    room: int = 0
    """Free bytes at the last try, for DISK_FULL_AGAIN."""


@dataclass(frozen=True)
class Stopping:
    """Why the scheduler stops."""

    stop: Stop
    failures: int = 0
    """Runs that failed alike, for ALL_FAIL_ALIKE."""
    reason: str = ""
    """Why the last one failed."""


class Watcher(Protocol):
    """Receives the reports of a scheduler."""

    def started(self, job: Job, slot: str, steps: int = 0) -> None:
        """A run has started in a slot; `steps`: those that earlier attempts have done."""

    def advanced(self, job: Job, event: Event) -> None:
        """A run has taken some steps."""

    def finished(self, job: Job, result: Result) -> None:
        """A run has a result."""

    def elsewhere(self, job: Job, state: RunState) -> None:
        """A run was ended by another scheduler, or cancelled."""

    def stopped(self, job: Job, reason: str) -> None:
        """A run was stopped; it continues later."""

    def stopping(self, stopping: Stopping) -> None:
        """No further run is started; the running ones are asked to stop."""

    def waiting(self, waiting: Waiting) -> None:
        """No further run is started until a hindrance has passed."""

    def resumed(self) -> None:
        """The hindrance has passed."""

    def supplied(self, jobs: Mapping[str, Job], news: Sequence[str]) -> None:
        """Further jobs follow, by label; `news` are sentences on the results so far."""

    def failed(self, job: Job, reason: str, *, pause: float | None) -> None:
        """An attempt failed; `pause`: seconds until the next one, None if there is none."""


@dataclass
class Summary:
    """Outcomes of the jobs of one command."""

    finished: int = 0
    failed: int = 0
    interrupted: bool = False
    left_running: int = 0
    """Runs that go on after an interruption, for the next scheduler to adopt."""
    spent: bool = False
    """True if the budget ended before the jobs."""
    jobs: dict[str, Job] = field(default_factory=dict)
    """Jobs that were decided while it worked, by label."""
    gave_up: Stopping | None = None
    """Why the remaining runs were not tried; None if all were."""
