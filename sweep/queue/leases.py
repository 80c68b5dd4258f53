"""Detect expired leases without comparing the clocks of two processes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

LEASE_SECONDS = 60.0
"""Seconds after which a lease that is not renewed expires."""
RENEW_SECONDS = LEASE_SECONDS / 4
"""Seconds between two renewals."""
MAX_SECONDS_BETWEEN_CHECKS = 5.0
"""Time between two checks counts up to this many seconds.

More time means that this process was suspended, and the lease's owner may have been suspended too.
"""

Lease = tuple[Any, ...]
"""Run id, owner, attempt and beat, as stored in the database."""


class Clock:
    """Reads the time; tests replace it."""

    def now(self) -> float:
        """Unix time. It may jump, because the clock can be set."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds on a clock that only moves forward; comparable only within this process."""
        return time.monotonic()


class Watch:
    """Measures how long each lease has been unchanged."""

    reason = f"its scheduler has given no sign of life for {LEASE_SECONDS:.0f} s"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._checked = clock.monotonic()
        self._unchanged: dict[Lease, float] = {}

    def silent(self, leases: Sequence[Lease]) -> set[Lease]:
        """Return the leases that have not changed for `LEASE_SECONDS`."""
        now = self._clock.monotonic()
        passed, self._checked = min(now - self._checked, MAX_SECONDS_BETWEEN_CHECKS), now
        self._unchanged = {
            lease: self._unchanged[lease] + passed if lease in self._unchanged else 0.0
            for lease in leases
        }
        return {lease for lease, seconds in self._unchanged.items() if seconds >= LEASE_SECONDS}
