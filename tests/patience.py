"""How long tests wait for what must happen: so long that no busy machine misses it."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 900.0
"""Seconds until a test gives up. A promise that something ends "at once" or "within a second" is
checked by what would happen otherwise, never by a tight deadline."""


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
