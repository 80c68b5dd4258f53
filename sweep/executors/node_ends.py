"""From the end that a node has written, or has not, to the end that a scheduler records."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

from sweep.errors import RunnerLostError
from sweep.executors.base import Ended
from trainer.rundir.attempt_end import AttemptEnd

MAX_PROBLEMS = 3
"""Attempts in a row that nodes cannot begin before the study ends."""
MAX_LOST = 3
"""Losses of a run after which the next one counts as its failure: it may be what ends its node."""


class Losses:
    """Counts how often runs ended without a word from their nodes."""

    def __init__(self) -> None:
        self._times = Counter[Path]()

    def ended(self, directory: Path, words: str) -> Ended:
        """Return the end of a run that was lost once more; `words`: how."""
        self._times[directory] += 1
        if self._times[directory] <= MAX_LOST:
            return Ended(directory, None, lost=words)
        reason = f"{words}, as {MAX_LOST} times before: the run may be the cause"
        return Ended(directory, None, signal.SIGKILL, reason=reason)


class NodeEnds:
    """Reads the ends of attempts, and notices when nodes cannot begin any."""

    def __init__(self) -> None:
        self._problems = 0

    def ended(self, directory: Path, end: AttemptEnd) -> Ended:
        """Return the end of an attempt. Raises RunnerLostError if nodes begin none."""
        if end.problem:
            return self.not_begun(directory, end.problem)
        self._problems = 0
        if end.noticed:
            return Ended(directory, None, lost=f"{end.host} was taken away from it")
        return Ended(directory, end.status, end.signal, end.peak_bytes, end.out_of_memory)

    def not_begun(self, directory: Path, problem: str) -> Ended:
        """Return the end of an attempt that a node did not begin. Raises RunnerLostError."""
        self._problems += 1
        if self._problems >= MAX_PROBLEMS:
            raise RunnerLostError(
                f"no node could begin a run, {self._problems} times in a row; the last time: {problem}. "
                "Correct that; the same command continues"
            )
        return Ended(directory, None, lost=problem)
