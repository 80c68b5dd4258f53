"""A clock for tests of leases and pauses."""

from __future__ import annotations

from sweep.queue.leases import Clock


class HandClock(Clock):
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.wall = 1_800_000_000.0
        self.watch = 0.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.watch

    def pass_seconds(self, seconds: float) -> None:
        self.wall += seconds
        self.watch += seconds
