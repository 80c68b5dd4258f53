"""The interface between scheduler and executors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Ended:
    """The end of a run's process."""

    directory: Path
    status: int | None
    """Exit status; None when a signal ended it."""
    signal: int | None = None
    """The signal that ended it, if one did."""
    peak_bytes: int | None = None
    """Largest resident memory."""
    out_of_memory: bool | None = None
    """For a killed process: True if the OOM killer did it; None if unknown."""
    lost: str | None = None
    """Set if the run ended only because the process that started it had ended: the reason."""


class Executor(Protocol):
    """Starts runs in slots and reports their ends. It knows neither the database nor the study."""

    @property
    def slots(self) -> Sequence[str]:
        """Names of the slots. Each holds one run at a time."""

    def prepare(self) -> None:
        """Return when runs can start without delay; no run is claimed earlier.

        Raises ExecutionError if no run can be executed.
        """

    def start(self, directory: Path, slot: str, attempt: int) -> None:
        """Start to train a run directory in a free slot. Its lock announces the attempt already."""

    def wait(self, seconds: float) -> list[Ended]:
        """Return the runs that have ended, after waiting up to `seconds` for the first one.

        Raises RunnerLostError if no run can be executed any more.
        """

    def stop(self, directory: Path, *, now: bool = False) -> None:
        """Ask a run to stop at its next step; `now` kills it."""

    def close(self) -> None:
        """End all runs and release all resources."""
