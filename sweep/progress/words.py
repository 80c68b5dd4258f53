"""Sentences for the reports of a scheduler."""

from __future__ import annotations

from sweep.progress.watcher import Hindrance, Stop, Stopping, Waiting
from sweep.terminal.units import rough_duration, shown_size

CONTINUES = "The study waits and then continues by itself; no retry is used up"


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


def time_left_words(held: Waiting | Stopping | None, seconds: float | None) -> str:
    """Say how long the remaining runs take, if that can be known."""
    if isinstance(held, Stopping):
        return "stopping"
    if held:
        return "paused" if is_paused(held) else "waiting"
    return (
        "first runs will tell how long"
        if seconds is None
        else f"about {rough_duration(seconds)} left"
    )
