"""When a lease has run out, told without comparing the clocks of two processes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

LEASE_SECONDS = 60.0
"""How long a claim holds without being renewed."""
RENEW_SECONDS = LEASE_SECONDS / 4
"""How often a scheduler renews its own."""
LONGEST_LOOK = 5.0
"""Seconds that count between two looks: who was suspended in between cannot tell who else was."""

Lease = tuple[Any, ...]
"""A run, its owner, the attempt and its beat: as it is in the database."""


class Clock:
    """The time; a test may hand in another."""

    def now(self) -> float:
        """Unix time, for people: it may be set forwards or backwards at any moment."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that nobody sets; comparable within this process alone."""
        return time.monotonic()


class Watch:
    """Sees leases again and again, and remembers for how long each has not changed."""

    reason = f"its scheduler has given no sign of life for {LEASE_SECONDS:.0f} s"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._looked = clock.monotonic()
        self._unchanged: dict[Lease, float] = {}

    def silent(self, leases: Sequence[Lease]) -> set[Lease]:
        """Those that are the same as `LEASE_SECONDS` ago."""
        now = self._clock.monotonic()
        passed, self._looked = min(now - self._looked, LONGEST_LOOK), now
        self._unchanged = {
            lease: self._unchanged[lease] + passed if lease in self._unchanged else 0.0
            for lease in leases
        }
        return {lease for lease, seconds in self._unchanged.items() if seconds >= LEASE_SECONDS}
