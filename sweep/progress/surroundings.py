"""What a live display shows beside the reports of a scheduler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweep.progress.screen import Standing
from sweep.study.names import BASELINE


def _no_standings() -> Sequence[Standing]:
    return ()


def _no_runs() -> Mapping[int, str]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where a live display finds what the scheduler does not report."""

    folder: Path | None = None
    """The folder of run directories."""
    baseline: str = BASELINE
    """The arm that the others are compared with."""
    baseline_runs: Callable[[], Mapping[int, str]] = _no_runs
    """The names of the baseline's run directories, by seed."""
    standings: Callable[[], Sequence[Standing]] = _no_standings
    """Judges the runs so far; the baseline comes first."""


NOWHERE = Surroundings()
"""For a display that shows reports of the scheduler only."""
