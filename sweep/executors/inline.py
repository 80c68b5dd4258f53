"""Run in this process, one run after the other: for debugging, and for trainers that are functions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sweep.executors.base import Ended, OfThisMachine
from trainer.rundir.exits import Exit

Train = Callable[[Path, int], int]
"""Makes an attempt, given by its number, at a run directory; returns an exit status as a process would, or minus a signal."""


class InlineExecutor(OfThisMachine):
    """Calls `train` for each run, within `wait`, which passes on its exceptions.

    A run can be stopped only before it begins.
    """

    can_stop = False

    def __init__(self, train: Train, slots: int = 1) -> None:
        self._train = train
        self._slots = [f"inline {number}" for number in range(slots)]
        self._waiting: dict[Path, int] = {}
        """The attempts to make, by run directory."""
        self._stopped: list[Path] = []

    @property
    def slots(self) -> Sequence[str]:
        return self._slots

    def prepare(self) -> None:
        """There is nothing to prepare."""

    def start(self, directory: Path, slot: str, attempt: int) -> None:
        assert slot in self._slots  # noqa: S101  (the scheduler knows its slots)
        self._waiting[directory] = attempt

    def wait(self, seconds: float) -> list[Ended]:
        """Train runs for `seconds`, at least one run, so that many are recorded together."""
        deadline = time.monotonic() + seconds
        ended = [Ended(path.resolve(), Exit.STOPPED) for path in self._stopped]
        self._stopped.clear()
        if not ended and not self._waiting:
            time.sleep(seconds)
        while self._waiting:
            path = next(iter(self._waiting))
            attempt = self._waiting.pop(path)
            ended.append(_ended(path.resolve(), self._train(path, attempt)))
            if time.monotonic() > deadline:
                break
        return ended

    def stop(self, directory: Path, *, now: bool = False) -> None:  # noqa: ARG002  (it has not begun)
        if self._waiting.pop(directory, None) is not None:
            self._stopped.append(directory)

    def close(self) -> None:
        self._waiting.clear()


def _ended(path: Path, status: int) -> Ended:
    return Ended(path, status) if status >= 0 else Ended(path, None, -status)
