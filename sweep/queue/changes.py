"""What the queue gives to a scheduler, and what a scheduler tells the queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from trainer.rundir.directory import Event, Result


@dataclass(frozen=True)
class Claim:
    """A run that is ours to train."""

    run_id: str
    attempt: int
    """Its number, which no other claim of the run has had: the fencing token."""
    failures: int
    """Attempts that failed before, since the run was last asked for."""


@dataclass(frozen=True)
class Change:
    """What became of an attempt."""

    run_id: str
    state: Literal["queued", "failed", "done", "diverged"]
    """Of the run."""
    outcome: str
    """Of the attempt."""
    reason: str | None = None
    peak_bytes: int | None = None
    pause: float = 0.0
    """Seconds before the run may be claimed again."""
    result: Result | None = None
    events: Sequence[Event] = ()

    @property
    def end(self) -> dict[str, Any]:
        """The columns of the attempt that it fills."""
        return {"outcome": self.outcome, "reason": self.reason, "peak_bytes": self.peak_bytes}


def recorded(
    run_id: str, result: Result, events: Sequence[Event], peak_bytes: int | None
) -> Change:
    """The run has an outcome."""
    return Change(
        run_id,
        result.state,
        result.state,
        result.cause,
        peak_bytes,
        result=result,
        events=events,
    )


def released(run_id: str, reason: str, pause: float = 0.0) -> Change:
    """The run was stopped, through no fault of its own."""
    return Change(run_id, "queued", "stopped", reason, pause=pause)


def failed(run_id: str, reason: str, peak_bytes: int | None, again: float | None) -> Change:
    """The attempt failed; `again`: seconds until the next one, None when there is none."""
    if again is None:
        return Change(run_id, "failed", "failed", reason, peak_bytes)
    return Change(run_id, "queued", "failed", reason, peak_bytes, again)
