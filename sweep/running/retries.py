"""When to try again, and when trying is of no use."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sweep.queue.queue import LONGEST_PAUSE
from sweep.study.file import Jobs

ALIKE = 3
"""Runs that must have failed alike, and for good, before a study is given up; twice as many where
they still have retries before them."""


def pause_before(settings: Jobs, failures: int) -> float:
    """Seconds before the next attempt of a run that has failed so often: four times as long each
    time. Not random: the runs of a study do not fail together, and who reads a log can follow it.
    """
    return float(min(settings.retry_seconds * 4.0 ** (failures - 1), LONGEST_PAUSE))


@dataclass
class Pattern:
    """Whether all that has ended so far has failed, and for one reason."""

    alike: int = ALIKE
    _kinds: set[str] = field(default_factory=set)
    _failed: set[str] = field(default_factory=set)
    _failed_for_good: set[str] = field(default_factory=set)
    _hopeful: bool = False

    def saw_success(self) -> None:
        """A run has an outcome: what is wrong is not wrong with all of them."""
        self._hopeful = True

    def saw_failure(self, run_id: str, reason: str, *, for_good: bool) -> str | None:
        """Why the study is to be given up, if it is."""
        self._kinds.add(_kind(reason))
        self._failed.add(run_id)
        if for_good:
            self._failed_for_good.add(run_id)
        if self._hopeful or len(self._kinds) > 1 or KILLED.match(reason):
            return None
        if len(self._failed_for_good) < self.alike and len(self._failed) < 2 * self.alike:
            return None
        return f"all of the first {len(self._failed)} runs failed for the same reason: {reason}"


KILLED = re.compile(r"ended by signal \d+")
"""Whoever kills a run does so from outside: that says nothing of the others."""


def _kind(reason: str) -> str:
    """The reason without what differs from run to run: numbers, and the names of files."""
    return re.sub(r"\S*/\S*|\d+", "…", reason)
