"""Whether the kernel has ended a process for lack of memory: it counts, and tells nobody else.

The counters are documented in Linux's Documentation/admin-guide: cgroup-v1/memory.rst
(`memory.oom_control`), cgroup-v2.rst (`memory.events`), and as `oom_kill` in /proc/vmstat.
Light to import: no torch here.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
_CGROUPS = Path("/sys/fs/cgroup")


class MemoryKills:
    """The kernel's count, for the memory control group of this process and its children.

    Where there is none, for the whole machine.
    """

    def __init__(self) -> None:
        self._file = next((path for path in _counters() if _count(path) is not None), None)
        self._seen = self._now()

    def catch_up(self) -> None:
        """Forget what has been counted so far: it was none of the processes that are alive."""
        self._seen = self._now()

    def take(self) -> bool | None:
        """Whether one of those counted since is the process that was just seen to be killed.

        None where this system does not count.
        """
        if self._file is None:
            return None
        one = self._now() > self._seen
        self._seen += one
        return one

    def _now(self) -> int:
        return (_count(self._file) if self._file else None) or 0


def offer_to_the_kernel() -> None:
    """Have it end this process, when memory is short, before what started it.

    A fork server maps more than a run that has just begun, and would take all others with it.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def _counters() -> Iterator[Path]:
    """Files that may hold the count, the most particular first."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            yield from _below(_CGROUPS / "memory", path, "memory.oom_control")
        elif not controllers:
            yield from _below(_CGROUPS, path, "memory.events")
    yield Path("/proc/vmstat")


def _below(mount: Path, path: str, name: str) -> Iterator[Path]:
    """In a container the group's own folder may be the mount itself."""
    yield mount / path.lstrip("/") / name
    yield mount / name


def _count(path: Path) -> int | None:
    try:
        found = _COUNT.search(path.read_text())
    except OSError:
        return None
    return int(found[1]) if found else None
