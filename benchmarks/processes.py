"""Find and kill other processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

PATIENCE = 900.0
"""Seconds after which something that has not happened never will."""


def processes() -> Iterator[tuple[int, int, str]]:
    """Every living process: its id, its parent's, and its command."""
    listing = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,stat=,args="],  # noqa: S607  (-ww: not cut at COLUMNS)
        capture_output=True,
        text=True,
        check=True,
    )
    for line in listing.stdout.splitlines():
        pid, parent, state, *words = line.split(maxsplit=3)
        if not state.startswith("Z"):
            yield int(pid), int(parent), " ".join(words)


def trained_by(pid: int) -> Path | None:
    """The run directory whose lock a process holds, and does not wait for; see proc_pid_fdinfo(5)."""
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                target = descriptor.readlink()
                told = Path(f"/proc/{pid}/fdinfo/{descriptor.name}")
                if target.name == "lock" and "FLOCK" in told.read_text():
                    return target.parent
    return None


def kill(pid: int) -> bool:
    """Kill a process; true if it was still alive."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def wait_for_end(pids: Sequence[int]) -> float:
    """Seconds until none of the processes lives."""
    began = time.monotonic()
    while set(pids) & {pid for pid, *_ in processes()}:
        if time.monotonic() - began > PATIENCE:
            raise AssertionError(f"processes {pids} live on")
        time.sleep(0.005)
    return time.monotonic() - began


def wait_for_write(path: Path) -> None:
    """Wait until a file is written to, at most two seconds."""
    until = time.monotonic() + 2
    before = _touched(path)
    while _touched(path) == before and time.monotonic() < until:
        pass


def _touched(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
