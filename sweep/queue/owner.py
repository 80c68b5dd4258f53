"""The name of a scheduler, and whether its process is alive."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def this_process() -> str:
    """Return a name that no other process will ever have: host, process id and start time."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_started(pid)}"


def is_gone(owner: str) -> bool:
    """True if `owner` is known to have ended. Never true for a process of another host."""
    host, pid, started = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    # Of another user's process the system may not tell it, although the process is alive.
    return _started(int(pid)) not in {"", started}


def _started(pid: int) -> str:
    """Return when a process started, in clock ticks since boot; empty if the system does not tell.

    For a zombie the answer is "ended".
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    state, *words = stat.rpartition(")")[2].split()
    return "ended" if state in {"Z", "X"} else words[18]
