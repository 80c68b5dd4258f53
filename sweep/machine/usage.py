"""Memory of processes and use of GPUs of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

QUERY = "index,utilization.gpu,memory.used"
QUERY_SECONDS = 10.0
"""Seconds to wait for nvidia-smi."""


def resident_bytes(processes: Iterable[int]) -> int | None:
    """Resident memory of processes and their descendants; None if none is there, or not on Linux.

    Pages that several of them share count for each.
    """
    found = [
        size for process in _with_descendants(processes) if (size := _resident(process)) is not None
    ]
    return sum(found) if found else None


def _with_descendants(processes: Iterable[int]) -> set[int]:
    found: set[int] = set()
    waiting = list(processes)
    while waiting:
        process = waiting.pop()
        if process not in found:
            found.add(process)
            waiting += _children(process)
    return found


def _children(process: int) -> list[int]:
    """Children of a process: of its main thread, which starts them in Python."""
    try:
        words = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return []
    return [int(word) for word in words]


def _resident(process: int) -> int | None:
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def gpu_use() -> Mapping[str, tuple[int, int]]:
    """By number of each NVIDIA GPU: its use in percent and its used bytes; empty without nvidia-smi."""
    query = shutil.which("nvidia-smi")
    if query is None:
        return {}
    command = [query, f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(  # noqa: S603  (no shell, fixed arguments)
            command, capture_output=True, text=True, timeout=QUERY_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return parse_gpu_use(done.stdout) if done.returncode == 0 else {}


def parse_gpu_use(text: str) -> dict[str, tuple[int, int]]:
    """Read what nvidia-smi prints for `QUERY`; a GPU that tells no number is left out."""
    found = {}
    for line in text.splitlines():
        words = [word.strip() for word in line.split(",")]
        if len(words) == 3 and words[1].isdecimal() and words[2].isdecimal():
            found[words[0]] = int(words[1]), int(words[2]) * 2**20
    return found
