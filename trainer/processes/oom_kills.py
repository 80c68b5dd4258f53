"""OOM kills: the kernel counts them, but does not say which process it killed.

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


class OomKillCounter:
    """Counts OOM kills in the memory cgroup of this process and its children.

    Without a cgroup, counts those of the whole machine.
    """

    def __init__(self) -> None:
        self._file = next((path for path in _counters() if _count(path) is not None), None)
        self._seen = self._now()

    def catch_up(self) -> None:
        """Ignore the kills so far: they hit none of the processes that are alive now."""
        self._seen = self._now()

    def claim(self) -> bool | None:
        """True if a new OOM kill was counted, which is then attributed to the caller's process.

        Call it for each child that ended with SIGKILL. None if this system does not count.
        """
        if self._file is None:
            return None
        one = self._now() > self._seen
        self._seen += one
        return one

    def _now(self) -> int:
        return (_count(self._file) if self._file else None) or 0


def prefer_as_oom_victim() -> None:
    """Make the OOM killer choose this process before the one that started it.

    A fork server maps more memory than a run that has just begun; killing it would end all runs.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def _counters() -> Iterator[Path]:
    """Files that may hold the count, the most specific first."""
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
    """The cgroup's folder, or the mount itself, as in a container."""
    yield mount / path.lstrip("/") / name
    yield mount / name


def _count(path: Path) -> int | None:
    try:
        found = _COUNT.search(path.read_text())
    except OSError:
        return None
    return int(found[1]) if found else None
