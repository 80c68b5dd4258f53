"""Detect expired leases without comparing the clocks of two processes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

LEASE_SECONDS = 60.0
"""Seconds after which a lease that is not renewed expires."""
RENEW_SECONDS = LEASE_SECONDS / 4
"""Seconds between two renewals."""
MAX_LOOK_SECONDS = 5.0
"""Seconds that count between two looks, at most.

A process that was suspended in between cannot tell whether the other one was suspended too.
"""

Lease = tuple[Any, ...]
"""Run id, owner, attempt and beat, as stored in the database."""


class Clock:
    """The time; tests use another one."""

    def now(self) -> float:
        """Unix time. It may jump, because the clock can be set."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds of a clock that is never set; comparable only within this process."""
        return time.monotonic()


class Watch:
    """Measures for how long each lease has not changed."""

    reason = f"its scheduler has given no sign of life for {LEASE_SECONDS:.0f} s"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._looked = clock.monotonic()
        self._unchanged: dict[Lease, float] = {}

    def silent(self, leases: Sequence[Lease]) -> set[Lease]:
        """Return the leases that have not changed for `LEASE_SECONDS`."""
        now = self._clock.monotonic()
        passed, self._looked = min(now - self._looked, MAX_LOOK_SECONDS), now
        self._unchanged = {
            lease: self._unchanged[lease] + passed if lease in self._unchanged else 0.0
            for lease in leases
        }
        return {lease for lease, seconds in self._unchanged.items() if seconds >= LEASE_SECONDS}
