"""Numbers for a live display that take a while to get: each is measured again only now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Generic, TypeVar

from sweep.machine.disk import free_bytes
from sweep.machine.usage import gpu_use, resident_bytes
from sweep.terminal.units import shown_size
from trainer.rundir.lock import RunLock

SHARE = 0.002
"""Largest share of a core that each gauge may take."""
MIN_SECONDS = 2.0
"""Seconds, at least, between two measurements."""
T = TypeVar("T")


class Gauge(Generic[T]):
    """A value that is measured again so rarely that it costs at most `SHARE` of a core.

    The first measurement is not counted: it imports modules, which takes ten times as long.
    """

    def __init__(
        self,
        measure: Callable[[], T],
        first: T,
        least: float = MIN_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        cost: Callable[[], float] = time.thread_time,
    ) -> None:
        self.measure = measure
        self.value = first
        self._least = least
        self._clock = clock
        self._cost = cost
        self._next = 0.0
        self._is_first = True

    def read(self) -> T:
        """The value, measured again if that is due."""
        now = self._clock()
        if now >= self._next:
            before = self._cost()
            self.value = self.measure()
            spent = 0.0 if self._is_first else self._cost() - before
            self._is_first = False
            self._next = now + max(self._least, spent / SHARE)
        return self.value


class MachineGauges:
    """Memory of runs, use of GPUs and free space of the disk."""

    def __init__(self, folder: Path | None) -> None:
        """`folder`: that of the run directories; None if they are unknown."""
        self.folder = folder
        self.directories: Mapping[str, str] = {}
        """Names of the directories of running runs, by run."""
        self.memory: Gauge[Mapping[str, int]] = Gauge(self._memory, {})
        self.gpus: Gauge[Mapping[str, tuple[int, int]]] = Gauge(gpu_use, {}, least=10.0)
        self.free: Gauge[int | None] = Gauge(self._free, None)

    def update(self, directories: Mapping[str, str], *, gpus: bool) -> None:
        """Measure what is due for the running runs, given with their directories."""
        self.directories = directories
        self.memory.read()
        self.free.read()
        if gpus:
            self.gpus.read()

    def gpu_words(self, slot: str) -> str:
        """The use of the GPU of a slot such as `gpu 0` or `gpu 0 1/4`; of several, the first."""
        kind, _, number = slot.partition(" ")
        found = self.gpus.value.get(number.partition(" ")[0].partition("+")[0])
        if kind != "gpu" or found is None:
            return ""
        percent, used = found
        return f"{percent}%, {shown_size(used)}"

    def _memory(self) -> Mapping[str, int]:
        if self.folder is None:
            return {}
        sizes = {
            run: resident_bytes(RunLock(self.folder / name).holders())
            for run, name in self.directories.items()
        }
        return {run: size for run, size in sizes.items() if size is not None}

    def _free(self) -> int | None:
        try:
            return None if self.folder is None else free_bytes(self.folder)
        except OSError:
            return None
