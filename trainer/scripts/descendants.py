"""Kill all processes that a run has started, wherever they have gone.

A process that calls `become_subreaper` becomes the parent of its orphaned descendants, so that no
`setsid` and no double fork takes one out of its tree: prctl(2), PR_SET_CHILD_SUBREAPER. If it is
killed, its descendants become children of the next subreaper above, the fork server. If that is
killed too, the next attempt finds them by the run's name in their environment. Linux only: elsewhere
the process group of the script is all that is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_GET_PDEATHSIG = 2
_PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")
PARENT_DIED = signal.SIGUSR1
"""Signal that lets a supervisor kill what it has started, and end."""
KILL_TIMEOUT = 5.0
"""Seconds to wait for killed processes to end: one in an uninterruptible sleep takes its time."""


def become_subreaper() -> None:
    """Let orphaned descendants become children of this process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def set_death_signal(number: int) -> None:
    """Let the kernel send a signal to this process when its parent dies (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


def signal_at_death_of(parent: int, number: int) -> None:
    """Get a signal when `parent` dies, or at once if it is dead already."""
    set_death_signal(number)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


@contextlib.contextmanager
def parent_watched() -> Iterator[Callable[[], bool]]:
    """Let this process end its own descendants, and not die at once, when its parent dies.

    Yields a function that returns True once the parent is dead. A process that was not to die with
    its parent is left alone.
    """
    gone = [False]
    before = signal.signal(PARENT_DIED, lambda _number, _frame: gone.__setitem__(0, True))
    softened = _death_signal() == signal.SIGKILL
    if softened:
        signal_at_death_of(os.getppid(), PARENT_DIED)
    try:
        yield lambda: gone[0]
    finally:
        if softened:
            signal_at_death_of(os.getppid(), signal.SIGKILL)
        signal.signal(PARENT_DIED, before)


def _death_signal() -> int:
    """The signal that this process gets when its parent dies; 0 for none."""
    number = ctypes.c_int(0)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_GET_PDEATHSIG, ctypes.byref(number), 0, 0, 0)
    return number.value


def has_children() -> bool:
    """True if this process has a child, running or not yet waited for."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def children() -> set[int]:
    """The ids of this process's children."""
    return {pid for pid in _pids() if _parent(pid) == os.getpid()}


def kill_descendants(spared: Collection[int] = ()) -> int:
    """Kill the descendants of this process, except those of `spared` and below.

    They are all waited for. Returns the number of processes that were killed.
    """

    def left() -> list[int]:
        below = _descendants(spared) if has_children() else []
        return [pid for pid in below if not _reaped(pid)]

    return _kill_until_none(left)


def wait_for_children(pids: Collection[int]) -> None:
    """Wait until children of this process have ended, at most `KILL_TIMEOUT` seconds."""
    left = set(pids)
    deadline = time.monotonic() + KILL_TIMEOUT
    while left and time.monotonic() < deadline:
        left = {pid for pid in left if _is_running(pid)}
        time.sleep(0.001)


def _is_running(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    except ChildProcessError:
        return False


def kill_marked(variable: str, value: str) -> int:
    """Kill the processes of this user whose environment sets `variable` to `value`."""
    mark = f"{variable}={value}".encode()

    def left() -> list[int]:
        return [pid for pid in _pids() if pid != os.getpid() and mark in _environment(pid)]

    return _kill_until_none(left)


def _kill_until_none(find: Callable[[], list[int]]) -> int:
    """Kill the processes found until there are none, at most for `KILL_TIMEOUT`; returns how many."""
    killed = set[int]()
    deadline = time.monotonic() + KILL_TIMEOUT
    while time.monotonic() < deadline and (found := find()):
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        time.sleep(0.001)
    return len(killed)


def _reaped(pid: int) -> bool:
    """Wait for a process if it is a child of this one and has ended."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


def _descendants(spared: Collection[int]) -> list[int]:
    """Ids of all descendants of this process, without those of `spared` and below."""
    children = dict[int, list[int]]()
    for pid in _pids():
        children.setdefault(_parent(pid), []).append(pid)
    found, ahead = list[int](), [os.getpid()]
    while ahead:
        below = [pid for pid in children.get(ahead.pop(), ()) if pid not in spared]
        found += below
        ahead += below
    return found


def _pids() -> Iterator[int]:
    with contextlib.suppress(OSError):
        yield from (int(name) for name in os.listdir(_PROC) if name.isdecimal())  # noqa: PTH208  (a Path for each process is slow)


def _parent(pid: int) -> int:
    """Parent of a process; 0 if it has ended. Its name may have spaces and brackets: proc_pid_stat(5)."""
    try:
        text = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return 0
    return int(text[text.rindex(b")") :].split()[2])


def _environment(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []
