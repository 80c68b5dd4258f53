"""Who may train a run directory: one process at a time, and none that a later attempt has replaced.

The file `lock` has two uses. Whoever starts an attempt appends its number, a line each, before the
attempt begins. The process that trains holds an flock of the file, which the kernel takes back
when the process ends, however it ends. So a process that finds a higher number than its own has
been replaced: it stops, or does not begin. And an attempt begins only when the one before has let
go; a process of this machine that does not within PATIENCE seconds, because it hangs or was
suspended, is killed. Numbers only grow, and appending one twice, or late, changes nothing.

Holding the lock, a process sets the file's time once a second: a sign of life.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from trainer.errors import RunDirectoryError, RunTakenError
from trainer.files import FULL, lock
from trainer.rundir.lock_holder import kill_holder

BEAT_SECONDS = 1.0
"""Between two signs of life, and two looks for a later attempt."""
PATIENCE = 20.0
"""Seconds to wait for the process of an earlier attempt, which stops at its next step."""
LAST_PATIENCE = 5.0
"""Seconds to wait for it when it was killed."""


class RunLock:
    """The lock of one run directory."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._descriptor: int | None = None
        self._attempt = 0
        self._due = 0.0
        self._replaced = False

    def announce(self, attempt: int) -> None:
        """Tell that an attempt is to begin; an earlier one that still trains stops at its next step.

        Raises RunTakenError when a later one was announced already, OSError for a full disk.
        """
        with self._opened() as descriptor:
            os.write(descriptor, b"%d\n" % attempt)
            latest = _latest(descriptor)
        if latest > attempt:
            raise RunTakenError(f"attempt {latest} at this run has begun, so {attempt} does not")

    @contextlib.contextmanager
    def hold(self, attempt: int | None, stopped: Callable[[], bool]) -> Iterator[None]:
        """Be the one that trains; None for an attempt that nobody announced.

        The descriptor is inherited by processes forked in the meantime: the lock holds until the
        last of them has ended. An announced attempt waits for the process of an earlier one, and
        kills it in the end. Raises RunTakenError when another process has it nevertheless, when
        `stopped` says so while it waits, or when a later attempt was announced.
        """
        with self._opened() as descriptor:
            if not _lock(descriptor, 0.0 if attempt is None else PATIENCE, stopped):
                self._insist(descriptor, attempt, stopped)
            self._attempt = _latest(descriptor) if attempt is None else attempt
            _check_latest(descriptor, self._attempt)
            self._descriptor = descriptor
            self.beat()
            try:
                yield
            finally:
                self._descriptor = None

    def is_replaced(self) -> bool:
        """Whether a later attempt waits for this one to stop; gives a sign of life. Cheap."""
        if self._descriptor is not None and time.monotonic() >= self._due:
            self.beat()
            self._replaced = _latest(self._descriptor) > self._attempt
        return self._replaced

    def beat(self) -> None:
        """Give a sign of life."""
        self._due = time.monotonic() + BEAT_SECONDS
        if self._descriptor is not None:
            os.utime(self._descriptor)

    def last_beat(self) -> int | None:
        """A number that changes with each sign of life, for whoever looks on."""
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return None

    def _insist(self, descriptor: int, attempt: int | None, stopped: Callable[[], bool]) -> None:
        """Take the lock from a process that does not let go. Raises RunTakenError."""
        if attempt is not None and not stopped():
            _check_latest(descriptor, attempt)
            if kill_holder(descriptor) and _lock(descriptor, LAST_PATIENCE, stopped):
                return
        raise RunTakenError(
            f"another process still trains {self._path.parent}; it stops at its next step, or with "
            "whoever started it"
        )

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            if error.errno in FULL:
                raise
            raise RunDirectoryError(
                f"{self._path} cannot be opened ({error.strerror}); it is to be a file in a folder "
                "that can be written"
            ) from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _lock(descriptor: int, patience: float, stopped: Callable[[], bool]) -> bool:
    """Whether the lock could be had within so many seconds."""
    deadline = time.monotonic() + patience
    while True:
        if lock(descriptor, wait=False):
            return True
        if stopped() or time.monotonic() > deadline:
            return False
        time.sleep(0.05)


def _check_latest(descriptor: int, attempt: int) -> None:
    """Raise RunTakenError when a later attempt was announced."""
    latest = _latest(descriptor)
    if latest > attempt:
        raise RunTakenError(f"attempt {latest} has replaced this one, {attempt}")


def _latest(descriptor: int) -> int:
    """The highest number in the file; 0 when there is none."""
    size = os.fstat(descriptor).st_size
    words = os.pread(descriptor, size, 0).split()
    return max((int(word) for word in words if word.isdigit()), default=0)
