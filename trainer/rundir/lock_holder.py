"""The process that holds an flock, ended: for one that hangs, or that somebody has suspended."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

LOCKS = Path("/proc/locks")
"""All locks of this machine, a line each; see proc_locks(5)."""
_FLOCK = re.compile(r"^\d+: FLOCK +\S+ +\S+ (?P<pid>\d+) \S+:(?P<inode>\d+) ", re.MULTILINE)


def kill_holder(descriptor: int) -> bool:
    """Kill the process that holds the flock of an open file; whether there was one to be killed.

    There is none where the system does not tell (it is Linux that does), on another machine that
    shares the disk, or of another user.
    """
    if sys.platform != "linux":
        return False
    for pid in _holders(descriptor):
        try:
            handle = os.pidfd_open(pid)  # it stays with this process, whoever has its number later
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


def _holders(descriptor: int) -> Iterator[int]:
    """The process that has an flock of the file, and the file open, if there is one."""
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
    """Whether a process has a file open; inodes of two disks may have one number."""
    try:
        return any(_is(path, file) for path in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def _is(path: Path, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), file)
    except OSError:
        return False
