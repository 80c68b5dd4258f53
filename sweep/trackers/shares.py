"""Which process tells a tracker about which run: a byte of a file is locked for each run."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

WAIT_SECONDS = 60.0
"""Longest time to wait for another process that still sends a run, such as that of a killed command."""
POLL_SECONDS = 0.1


class TakenError(Exception):
    """Another process is still sending this run."""


class Shares:
    """Locks of the runs that this process sends; the kernel releases them when it ends."""

    def __init__(self, file: Path) -> None:
        self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)

    def take(self, key: str) -> None:
        """Lock a run. Raises TakenError if another process keeps it for `WAIT_SECONDS`."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not self.try_to_take(key):
            if time.monotonic() > deadline:
                raise TakenError("another command is still sending this run")
            time.sleep(POLL_SECONDS)

    def try_to_take(self, key: str) -> bool:
        """Lock a run; False if another process has locked it."""
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(key))
        except (BlockingIOError, PermissionError):
            return False
        return True

    def give_back(self, key: str) -> None:
        """Let another process send a run."""
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _place(key))


def _place(key: str) -> int:
    """The byte of a run; it need not exist in the file."""
    return int(key, 16) >> 2
