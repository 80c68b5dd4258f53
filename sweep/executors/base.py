"""What a scheduler needs of an executor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Ended:
    """A run's process has ended."""

    directory: Path
    status: int | None
    """Exit status; None when a signal ended it."""
    signal: int | None = None
    """The signal that ended it, if one did."""
    peak_bytes: int | None = None
    """Largest resident memory."""
    out_of_memory: bool | None = None
    """Of a process that was killed: whether by the kernel, for lack of memory; None if unknown."""
    lost: str | None = None
    """Why it ended through no fault of its own: what it had been started by has ended."""


class Executor(Protocol):
    """Starts runs in slots and reports their end. Knows no database and no study."""

    @property
    def slots(self) -> Sequence[str]:
        """A name for each run that can go on at once."""

    def prepare(self) -> None:
        """Return once a run that is started begins at once, so that none is claimed before.

        Raises ExecutionError when no run can be executed.
        """

    def start(self, directory: Path, slot: str, attempt: int) -> None:
        """Begin to train a run directory in a slot that is free; the attempt was announced."""

    def wait(self, seconds: float) -> list[Ended]:
        """The runs that have ended, waiting up to `seconds` for the first.

        Raises RunnerLostError when no run can be executed any more.
        """

    def stop(self, directory: Path, *, now: bool = False) -> None:
        """Ask a run to stop at its next step, or end it `now`."""

    def close(self) -> None:
        """End whatever still runs, and free what was held."""
