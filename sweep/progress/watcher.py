"""What a scheduler tells whoever looks on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sweep.workload.job import Job
from trainer.rundir.directory import Event, Result


class Watcher(Protocol):
    """Is told what happens; shows it to somebody."""

    def started(self, job: Job, slot: str) -> None:
        """A run has been given a slot."""

    def advanced(self, job: Job, event: Event) -> None:
        """A run has taken some steps."""

    def finished(self, job: Job, result: Result) -> None:
        """A run has an outcome."""

    def elsewhere(self, job: Job, state: str) -> None:
        """Somebody else has brought a run to an end: another scheduler, or who cancelled it."""

    def stopped(self, job: Job, reason: str) -> None:
        """A run was stopped; it goes on later."""

    def stopping(self, reason: str) -> None:
        """No further run is started; those that go on are asked to stop."""

    def waiting(self, reason: str) -> None:
        """No further run is started until something has passed."""

    def going_on(self) -> None:
        """It has passed."""

    def failed(self, job: Job, reason: str, *, pause: float | None) -> None:
        """An attempt has failed; `pause`: seconds until the next one, None when there is none."""


@dataclass
class Summary:
    """What became of the jobs."""

    finished: int = 0
    failed: int = 0
    interrupted: bool = False
    given_up: str | None = None
    """Why the rest was not tried, if it was not."""
