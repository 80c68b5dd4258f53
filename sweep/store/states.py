"""The states of runs and the outcomes of attempts, as the database stores them."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    """The state of a run. `sweep.queue.queue` draws which state follows which."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    DIVERGED = "diverged"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_finished(self) -> bool:
        """True if the run has a result. No run leaves such a state."""
        return self in FINISHED

    @property
    def is_closed(self) -> bool:
        """True if the run has no result and is not tried again until a person asks for it."""
        return self in CLOSED

    @property
    def is_open(self) -> bool:
        """True if the run waits or is being trained."""
        return self in OPEN


FINISHED = frozenset({RunState.DONE, RunState.DIVERGED})
CLOSED = frozenset({RunState.FAILED, RunState.CANCELLED})
OPEN = frozenset({RunState.QUEUED, RunState.RUNNING})


class AttemptOutcome(StrEnum):
    """How one attempt at a run ended."""

    DONE = "done"
    DIVERGED = "diverged"
    FAILED = "failed"
    STOPPED = "stopped"
    """Stopped on purpose; the run continues later."""
    LOST = "lost"
    """Its scheduler ended, or was silent for too long."""
    CANCELLED = "cancelled"
