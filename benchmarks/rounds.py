"""Measure contenders in turns, and the ratios of their speeds round by round."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.contenders import Contender

WARM_UP = 2
"""Steps before the clock starts: buffers are made, AdamW's state too."""


@dataclass(frozen=True)
class Spread:
    """The median of the rounds, and their 5th and 95th percentile."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float] | np.ndarray) -> Spread:
        """The spread of one value per round."""
        low, median, high = (float(q) for q in np.quantile(values, [0.05, 0.5, 0.95]))
        return cls(median, low, high)

    def text(self, digits: int = 2) -> str:
        """`1.52 (1.48 to 1.60)`."""
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f} to {self.high:,.{digits}f})"


Times = dict[str, list[float]]
"""For each name the seconds of one step (or task), round by round."""


def seconds_of(task: Callable[[], object], device: torch.device) -> float:
    """Wall-clock seconds of a task, until the device has finished it."""
    wait(device)
    began = time.perf_counter()
    task()
    wait(device)
    return time.perf_counter() - began


def wait(device: torch.device) -> None:
    """Wait until a GPU has finished all its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Turns:
    """Measures contenders, and other tasks beside them, in turns.

    Each round measures all of them, starting with another one, so that other work on a shared
    machine slows all of them down.
    """

    def __init__(self, device: torch.device, steps: int) -> None:
        self.device = device
        self.steps = steps
        self.times: Times = {}
        self.rounds = 0
        self._turns: list[tuple[str, Callable[[int], float]]] = []

    def add_contender(self, contender: Contender) -> None:
        """Add a contender after its warm-up steps."""
        for step in range(WARM_UP):
            contender.step(step)
        wait(self.device)
        self._add(contender.name, lambda number: self._seconds_per_step(contender, number))

    def add_task(self, name: str, task: Callable[[], object]) -> None:
        """Add a task that is no contender: one call per round."""
        task()
        self._add(name, lambda _: seconds_of(task, self.device))

    def play(self, until: float, at_most: int = 1000) -> None:
        """Play rounds while another one fits before `until` (time.perf_counter); at least one."""
        longest = 0.0
        while self.rounds == 0 or time.perf_counter() + longest < until:
            longest = max(longest, seconds_of(self._play_round, self.device))
            if self.rounds == at_most:
                return

    def _play_round(self) -> None:
        """Recorded when it is complete, so that a round cut short leaves nothing behind."""
        first = self.rounds % len(self._turns)
        turns = self._turns[first:] + self._turns[:first]
        round_ = [(name, turn(self.rounds)) for name, turn in turns]
        for name, seconds in round_:
            self.times[name].append(seconds)
        self.rounds += 1

    def _seconds_per_step(self, contender: Contender, number: int) -> float:
        begin = WARM_UP + number * self.steps

        def stretch() -> None:
            for step in range(begin, begin + self.steps):
                contender.step(step)

        return seconds_of(stretch, self.device) / self.steps

    def _add(self, name: str, turn: Callable[[int], float]) -> None:
        self.times[name] = []
        self._turns.append((name, turn))

    def rate(self, name: str, amount: float) -> Spread:
        """`amount` per second, for a step or task that does `amount`."""
        return Spread.of(amount / np.array(self.times[name]))

    def speedup(self, name: str, other: str) -> Spread:
        """How many times faster `name` is than `other`, round by round."""
        return Spread.of(np.array(self.times[other]) / np.array(self.times[name]))
