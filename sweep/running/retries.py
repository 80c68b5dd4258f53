"""Decide when a failed run is tried again, and when the whole study is given up."""

from __future__ import annotations

from dataclasses import dataclass, field

from sweep.queue.changes import Change
from sweep.queue.queue import MAX_PAUSE
from sweep.study.jobs_section import Jobs
from sweep.trainers.base import Cause

MIN_ALIKE = 3
"""Runs that must fail alike for good before a study is given up; twice as many while they still
have retries left."""
RETRY_FACTOR = 4.0
"""Each pause is longer than the one before by this factor."""


def pause_before(settings: Jobs, failures: int) -> float:
    """Seconds before the next attempt of a run that has failed `failures` times.

    There is no random part: the runs of a study do not fail together, and fixed pauses make a log
    easy to follow.
    """
    return float(min(settings.retry_seconds * RETRY_FACTOR ** (failures - 1), MAX_PAUSE))


@dataclass
class FailurePattern:
    """Detects that every run fails in the same way, so that trying the rest is useless."""

    min_alike: int = MIN_ALIKE
    _kinds: set[tuple[Cause, str]] = field(default_factory=set)
    _failed: set[str] = field(default_factory=set)
    _failed_for_good: set[str] = field(default_factory=set)
    _any_success: bool = False

    def saw_success(self) -> None:
        """Note that a run has a result, so the failures do not concern every run."""
        self._any_success = True

    def saw_failure(self, change: Change, *, for_good: bool) -> bool:
        """Note a failure; True if the study should be given up.

        A run that was killed says nothing about the others and never leads to that.
        """
        self._kinds.add((change.cause, change.signature))
        self._failed.add(change.run_id)
        if for_good:
            self._failed_for_good.add(change.run_id)
        if self._any_success or len(self._kinds) > 1 or change.cause is Cause.KILLED:
            return False
        enough_for_good = len(self._failed_for_good) >= self.min_alike
        return enough_for_good or len(self._failed) >= 2 * self.min_alike

    @property
    def failed(self) -> int:
        """Number of runs that have failed."""
        return len(self._failed)
