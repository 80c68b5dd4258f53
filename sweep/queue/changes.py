"""Messages between queue and scheduler: claims, and the ends of attempts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sweep.store.states import AttemptOutcome, RunState
from sweep.trainers.base import Cause, End
from trainer.rundir.directory import Event, Result


@dataclass(frozen=True)
class Claim:
    """A run that this scheduler may train."""

    run_id: str
    attempt: int
    """Number of the attempt, unique among the claims of a run: the fencing token."""
    failures: int
    """Attempts that failed since a command last queued the run."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """The end of an attempt, to be recorded."""

    run_id: str
    state: RunState
    """New state of the run."""
    outcome: AttemptOutcome
    cause: Cause
    reason: str | None = None
    """The cause as a sentence for people."""
    signature: str = ""
    """Equal for attempts that failed alike."""
    peak_bytes: int | None = None
    """Largest resident memory."""
    pause: float = 0.0
    """Seconds before the run may be claimed again."""
    result: Result | None = None
    primary_value: float | None = None
    """The metric that the study is about, if a script's run is done."""
    events: Sequence[Event] = ()


def recorded(run_id: str, end: End, peak_bytes: int | None) -> Change:
    """Return the change for a run that has a result, `end.result`."""
    assert end.result  # noqa: S101  (for the type checker)
    state = RunState(end.result.state)
    return Change(
        run_id=run_id,
        state=state,
        outcome=AttemptOutcome(state.value),
        cause=Cause.RESULT,
        reason=end.result.cause,
        peak_bytes=peak_bytes,
        result=end.result,
        primary_value=end.primary_value,
        events=end.events,
    )


def released(run_id: str, cause: Cause, reason: str, pause: float = 0.0) -> Change:
    """Return the change for an attempt that was stopped: no failure, and the run is queued again."""
    return Change(
        run_id=run_id,
        state=RunState.QUEUED,
        outcome=AttemptOutcome.STOPPED,
        cause=cause,
        reason=reason,
        pause=pause,
    )


def failed(run_id: str, end: End, peak_bytes: int | None, pause: float | None) -> Change:
    """Return the change for a failed attempt; `pause`: seconds until the next, None if none follows."""
    return Change(
        run_id=run_id,
        state=RunState.FAILED if pause is None else RunState.QUEUED,
        outcome=AttemptOutcome.FAILED,
        cause=end.cause,
        reason=end.reason,
        signature=end.signature,
        peak_bytes=peak_bytes,
        pause=pause or 0.0,
    )
