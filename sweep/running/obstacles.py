"""Conditions that pause scheduling: a full disk, a locked database, a paused study, a full cluster."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from sweep.progress.watcher import Hindrance, Waiting
from trainer.files import FULL

MIN_FREE_BYTES = 64 * 2**20
"""Free bytes at which a study continues after a full disk; on a small disk, a twentieth of it."""
FIRST_RETRY_SECONDS = 5.0
"""Seconds before it tries again with free space that was too little before; doubled each time."""
MAX_RETRY_SECONDS = 1800.0


@dataclass
class Obstacles:
    """The obstacles that are present."""

    folder: Path
    """The folder of runs."""
    disk_full: bool = False
    database: str | None = None
    """Error message of the database while it cannot be written."""
    paused: str | None = None
    """Name of the study while it is paused."""
    executor: str | None = None
    """What the executor says while it can start no run."""
    _full_again: int = field(default=0, init=False)
    """Times that the disk was full again before any run had ended."""
    _tried_with: int = field(default=0, init=False)
    """Free bytes at the last try."""
    _retry_at: float = field(default=0.0, init=False)
    """Monotonic time of the next try with the same free space."""

    def saw_full_disk(self) -> None:
        """Note that a run found the disk full; several may do so at once."""
        if self.disk_full:
            return
        self.disk_full = True
        if self._tried_with:
            pause = min(FIRST_RETRY_SECONDS * 2**self._full_again, MAX_RETRY_SECONDS)
            self._retry_at = time.monotonic() + pause
            self._full_again += 1

    def saw_success(self) -> None:
        """Note that a run has finished, so there was enough space."""
        self._full_again = self._tried_with = 0

    def waiting(self) -> Waiting | None:
        """Return why no run may start; None if runs may start."""
        folder = str(self.folder)
        if self.disk_full and self._full_again:
            return Waiting(Hindrance.DISK_FULL_AGAIN, folder, self._tried_with)
        if self.disk_full:
            return Waiting(Hindrance.DISK_FULL, folder)
        if self.database:
            return Waiting(Hindrance.DATABASE, self.database)
        if self.paused:
            return Waiting(Hindrance.PAUSED, self.paused)
        if self.executor:
            return Waiting(Hindrance.EXECUTOR, self.executor)
        return None

    def check_disk(self) -> None:
        """Continue if there is more free space than at the last try, or as much after a pause."""
        if not self.disk_full:
            return
        try:
            total, _, free = shutil.disk_usage(self.folder)
        except OSError:
            self.disk_full = False  # the next attempt reports the problem
            return
        needed = min(MIN_FREE_BYTES, total // 20)
        pause_is_over = time.monotonic() >= self._retry_at
        if free >= (needed if pause_is_over else self._tried_with + needed):
            self.disk_full, self._tried_with = False, free
            self.database = None  # it may be on the same disk: the next turn tells


def is_disk_full(error: Exception) -> bool:
    """True if an error was caused by a full disk."""
    return isinstance(error, OSError) and error.errno in FULL
