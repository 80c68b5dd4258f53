"""Find the process that holds an flock; kill it, if it hangs or is suspended."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

LOCKS = Path("/proc/locks")
"""All locks of this machine, one per line; see proc_locks(5)."""
_FLOCK = re.compile(r"^\d+: FLOCK +\S+ +\S+ (?P<pid>\d+) \S+:(?P<inode>\d+) ", re.MULTILINE)


def kill_holder(descriptor: int) -> bool:
    """Kill the process that holds the flock of an open file; returns True if one was killed.

    Only Linux names the holder, and only a process of this machine and this user can be killed.
    """
    if sys.platform != "linux":
        return False
    for pid in _holders(descriptor):
        try:
            handle = os.pidfd_open(pid)  # names this process even if its number is used again
        except OSError:
            continue
        try:
            if pid in _holders(descriptor):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                return True
        except PermissionError:
            return False
        finally:
            os.close(handle)
    return False


def holders_of(path: Path) -> list[int]:
    """Processes of this machine that hold an flock of a file; empty if that cannot be known."""
    if sys.platform != "linux":
        return []
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return []
    try:
        return list(_holders(descriptor))
    finally:
        os.close(descriptor)


def _holders(descriptor: int) -> Iterator[int]:
    """Processes that hold an flock of the file and have it open: one, or none."""
    file = os.fstat(descriptor)
    try:
        locks = LOCKS.read_text()
    except OSError:
        return
    for found in _FLOCK.finditer(locks):
        pid = int(found["pid"])
        if int(found["inode"]) == file.st_ino and _has_open(pid, file):
            yield pid


def _has_open(pid: int, file: os.stat_result) -> bool:
    """True if a process has this file open; another disk may have a file of the same inode number."""
    try:
        return any(_is(path, file) for path in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def _is(path: Path, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), file)
    except OSError:
        return False
