"""The interface between scheduler and executors."""

from __future__ import annotations

from abc import ABC, abstractmethod
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
    reason: str | None = None
    """Why a signal ended it, if the executor knows more: a sentence."""
    lost: str | None = None
    """Set if the run ended through no fault of its own, such as with its node: the reason."""


class Executor(Protocol):
    """Starts runs in slots and reports their ends. It knows neither the database nor the study.

    An executor of this machine starts processes that end with it. One of a cluster submits jobs,
    which wait their turn and go on without it: see `outlives_scheduler`. `OfThisMachine` has the
    members that only the latter needs.
    """

    can_stop: bool
    """True if a run that has begun can be stopped."""
    outlives_scheduler: bool
    """True if runs go on when this process ends, so that another one can adopt them."""

    @property
    def slots(self) -> Sequence[str]:
        """Names of the slots, each of which holds one run at a time.

        They may change while runs are running: a new one is used, and no run is started in one that
        is gone. Empty while no run can be started.
        """

    def prepare(self) -> None:
        """Return when runs can start without delay; no run is claimed earlier.

        Raises ExecutionError if no run can be executed. An executor that has to wait for a cluster
        returns at once instead, and has no slots until then.
        """

    def adopts(self, directory: Path) -> bool:
        """True if `start` would adopt a job of this run directory, which waits or runs already.

        Such a job was submitted by another scheduler, or by one that was killed. Called by several
        threads.
        """

    def start(self, directory: Path, slot: str, attempt: int) -> None:
        """Start to train a run directory in a free slot, or adopt the job that trains it.

        Its lock announces the attempt already, unless the job is adopted: that job goes on under the
        number that it was submitted with.
        """

    def waiting(self, directory: Path) -> str | None:
        """Return why a run that was started has not begun, or waits again; None if it runs.

        Time limits do not count that time.
        """

    def hindrance(self) -> str | None:
        """Return a sentence on why no further run can be started for now; None if one can."""

    def wait(self, seconds: float) -> list[Ended]:
        """Return the runs that have ended, after waiting up to `seconds` for the first one.

        Raises ExecutionError if no run can be executed any more.
        """

    def stop(self, directory: Path, *, now: bool = False) -> None:
        """Ask a run to stop at its next step; `now` kills it."""

    def release(self, directory: Path) -> None:
        """Forget a run without stopping it; another scheduler watches it. Its end is not reported."""

    def close(self) -> None:
        """End all runs that were not released, and release all resources."""


class OfThisMachine(ABC):
    """The members of an executor whose runs begin at once and end with it."""

    can_stop = True
    outlives_scheduler = False

    def adopts(self, directory: Path) -> bool:  # noqa: ARG002  (there is no job to adopt)
        return False

    def waiting(self, directory: Path) -> str | None:  # noqa: ARG002  (it begins at once)
        return None

    def hindrance(self) -> str | None:
        return None

    def release(self, directory: Path) -> None:
        """Stop the run, which cannot go on without this process."""
        self.stop(directory)

    @abstractmethod
    def stop(self, directory: Path, *, now: bool = False) -> None:
        """Ask a run to stop at its next step; `now` kills it."""
