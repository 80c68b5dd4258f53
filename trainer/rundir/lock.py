"""The lock of a run directory: only one process trains it, that of the latest attempt.

The file `lock` has two uses:

- Fencing token: the scheduler appends the number of an attempt before it starts the attempt. A
  process that finds a higher number than its own has been replaced: it stops, or does not begin.
  The highest number counts, so that a number appended twice, or late, changes nothing.
- Lock: the process that trains holds an flock on the file, which the kernel releases when the
  process ends. The next attempt waits for it. If a process on this machine does not release it
  within STOP_TIMEOUT seconds, because it hangs or is suspended, the next attempt kills it.

The process that holds the lock sets the file's modification time once a second: its heartbeat.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from trainer.errors import RunDirectoryError, RunTakenError
from trainer.files import FULL, lock
from trainer.rundir.lock_holder import holders_of, kill_holder

HEARTBEAT_SECONDS = 1.0
"""Seconds between two heartbeats, and between two checks for a later attempt."""
STOP_TIMEOUT = 20.0
"""Seconds to wait until an earlier attempt's process has stopped, at its next step."""
KILL_TIMEOUT = 5.0
"""Seconds to wait for a killed process to end."""


class RunLock:
    """The lock of one run directory."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._descriptor: int | None = None
        self._attempt = 0
        self._due = 0.0
        self._replaced = False

    def announce(self, attempt: int) -> None:
        """Announce an attempt; an earlier one that is still training stops after its current step.

        Raises RunTakenError if a later one was announced already, OSError for a full disk.
        """
        with self._opened() as descriptor:
            os.write(descriptor, b"%d\n" % attempt)
            latest = _latest(descriptor)
        if latest > attempt:
            raise RunTakenError(
                f"attempt {latest} of this run has begun, so attempt {attempt} is not started"
            )

    @contextlib.contextmanager
    def hold(self, attempt: int | None, stopped: Callable[[], bool]) -> Iterator[None]:
        """Hold the lock within a `with` block; `attempt` is None if it was not announced.

        Processes that are forked within the block inherit the lock, which is held until the last of
        them has ended. An announced attempt waits for an earlier attempt's process, and kills it
        after STOP_TIMEOUT. Raises RunTakenError if another process keeps the lock, if `stopped`
        returns True during the wait, or if a later attempt was announced.
        """
        with self._opened() as descriptor:
            if not _lock_within(descriptor, 0.0 if attempt is None else STOP_TIMEOUT, stopped):
                self._take_from_holder(descriptor, attempt, stopped)
            self._attempt = _latest(descriptor) if attempt is None else attempt
            _check_latest(descriptor, self._attempt)
            self._descriptor = descriptor
            self.beat()
            try:
                yield
            finally:
                self._descriptor = None

    def is_replaced(self) -> bool:
        """True if a later attempt was announced. Also gives a heartbeat. Cheap."""
        if self._descriptor is not None and time.monotonic() >= self._due:
            self.beat()
            self._replaced = self.find_later_attempt()
        return self._replaced

    def find_later_attempt(self) -> bool:
        """True if a later attempt was announced; gives no heartbeat."""
        return self._descriptor is not None and _latest(self._descriptor) > self._attempt

    def beat(self) -> None:
        """Give a heartbeat."""
        self._due = time.monotonic() + HEARTBEAT_SECONDS
        if self._descriptor is not None:
            os.utime(self._descriptor)

    def last_beat(self) -> int | None:
        """A number that changes with each heartbeat; None if there is no lock file."""
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return None

    def holders(self) -> list[int]:
        """The processes of this machine that hold the lock; empty if that cannot be known."""
        return holders_of(self._path)

    def _take_from_holder(
        self, descriptor: int, attempt: int | None, stopped: Callable[[], bool]
    ) -> None:
        """Kill the process that holds the lock, and take it. Raises RunTakenError."""
        if attempt is not None and not stopped():
            _check_latest(descriptor, attempt)
            if kill_holder(descriptor) and _lock_within(descriptor, KILL_TIMEOUT, stopped):
                return
        raise RunTakenError(
            f"another process still trains {self._path.parent}; it stops at its next step, or "
            "when the program that started it ends"
        )

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            if error.errno in FULL:
                raise
            raise RunDirectoryError(
                f"{self._path} cannot be opened ({error.strerror}); it must be a file in a "
                "writable folder"
            ) from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _lock_within(descriptor: int, seconds: float, stopped: Callable[[], bool]) -> bool:
    """Take the lock within some seconds; False if that fails or `stopped` returns True."""
    deadline = time.monotonic() + seconds
    while True:
        if lock(descriptor, wait=False):
            return True
        if stopped() or time.monotonic() > deadline:
            return False
        time.sleep(0.05)


def _check_latest(descriptor: int, attempt: int) -> None:
    """Raise RunTakenError if a later attempt was announced."""
    latest = _latest(descriptor)
    if latest > attempt:
        raise RunTakenError(f"attempt {latest} has replaced this one, {attempt}")


def _latest(descriptor: int) -> int:
    """The highest number in the file; 0 if there is none."""
    size = os.fstat(descriptor).st_size
    words = os.pread(descriptor, size, 0).split()
    return max((int(word) for word in words if word.isdigit()), default=0)
