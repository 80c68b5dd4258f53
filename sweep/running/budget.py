"""The budget of a command: how many runs it starts, and for how long."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Limits of a command; None for no limit."""

    max_runs: int | None = None
    """Runs that it trains; a run that is tried again counts once."""
    max_seconds: float | None = None
    """Seconds after which it starts no further run. Those that are running end."""


NO_BUDGET = Budget()


@dataclass
class Spending:
    """What is left of a budget."""

    budget: Budget
    _since: float = field(default_factory=time.monotonic)
    _started: set[str] = field(default_factory=set)

    def saw_start(self, run_id: str) -> None:
        """Note that a run was started."""
        self._started.add(run_id)

    @property
    def room(self) -> int | None:
        """The number of runs that may still be started; None for no limit."""
        limits = self.budget
        if limits.max_seconds is not None and time.monotonic() - self._since >= limits.max_seconds:
            return 0
        return None if limits.max_runs is None else max(0, limits.max_runs - len(self._started))
