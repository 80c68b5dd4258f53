"""Sentences for the reports of a scheduler."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from sweep.progress.watcher import Hindrance, Stop, Stopping, Waiting
from sweep.terminal.units import rough_duration, shown_size, time_of_day

CONTINUES = "The study waits and then continues by itself; no retry is used up"

HELD_WORDS = {
    Hindrance.PAUSED: "paused",
    Hindrance.DISK_FULL: "waiting: the disk is full",
    Hindrance.DISK_FULL_AGAIN: "waiting: the disk is full",
    Hindrance.DATABASE: "waiting: the database cannot be written",
}
"""Why no run is started, in few words."""


def stop_words(stopping: Stopping) -> str:
    """Say why the scheduler stops."""
    match stopping.stop:
        case Stop.KEYBOARD:
            return "stopped at the keyboard"
        case Stop.HANGUP:
            return "its terminal was closed"
        case Stop.ALL_FAIL_ALIKE:
            return (
                f"all of the first {stopping.failures} runs failed for the same reason: "
                f"{stopping.reason}"
            )
        case Stop.FAIL_FAST:
            return f"a run has failed for good: {stopping.reason}"


def waiting_words(waiting: Waiting) -> str:
    """Say why no run is started, and what to do."""
    where = waiting.where
    match waiting.hindrance:
        case Hindrance.DISK_FULL_AGAIN:
            return (
                f"the disk of {where} was full again: {shown_size(waiting.room)} of free space are "
                "too little for the runs that train at the same time. Free more, or start the command "
                "again with fewer --slots. The study waits for more space, and tries with the same "
                "space less and less often; no retry is used up"
            )
        case Hindrance.DISK_FULL:
            return f"the disk of {where} is full: free some space. {CONTINUES}"
        case Hindrance.DATABASE | Hindrance.EXECUTOR:
            return f"{where.rstrip('.')}. {CONTINUES}"
        case Hindrance.PAUSED:
            return f"{where} is paused: `sweep resume {where}` continues it"


def is_paused(held: Waiting | Stopping | None) -> bool:
    """True if the study was paused."""
    return isinstance(held, Waiting) and held.hindrance is Hindrance.PAUSED


def time_left_words(
    held: Waiting | Stopping | None,
    seconds: float | None,
    guess: float | None = None,
    now: float | None = None,
) -> str:
    """Say how long the remaining runs take and when they end, if that can be known.

    `guess` is shown while `seconds` is None; `now` is the Unix time, by default the present one.
    """
    if isinstance(held, Stopping):
        return "stopping"
    if held:
        return HELD_WORDS[held.hindrance]
    return left_words(seconds, guess, now)


def left_words(seconds: float | None, guess: float | None, now: float | None = None) -> str:
    """Say how long the runs take if nothing holds them up."""
    if seconds is not None:
        end = time_of_day((time.time() if now is None else now) + seconds, now)
        return f"about {rough_duration(seconds)} left, until {end}"
    if guess is not None:
        return f"a guess: {rough_duration(guess)} left"
    return "first runs will tell how long"


class Outcome(Protocol):
    """The result of a run: from its directory, or a row of the database."""

    @property
    def state(self) -> str:
        """`done` or `diverged`."""

    @property
    def test_loss(self) -> float | None:
        """Nats per token; None for a script, and if it diverged."""

    @property
    def diverged_at(self) -> int | None:
        """The step at which the divergence was noticed."""

    @property
    def cause(self) -> str | None:
        """Why it counts as diverged."""


def result_words(result: Outcome, metrics: Mapping[str, float]) -> str:
    """Say the result of a run; `metrics` are those of a script."""
    if result.state == "diverged":
        at = "" if result.diverged_at is None else f" at step {result.diverged_at}"
        return f"diverged{at}: {result.cause}"
    if result.test_loss is None:
        return "  ".join(f"{name} {value:.6g}" for name, value in metrics.items())
    return f"test loss {result.test_loss:.4f}"
