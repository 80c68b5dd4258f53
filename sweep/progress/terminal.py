"""Choose how the progress of runs is shown."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console

from sweep.progress.live import LiveProgress
from sweep.progress.plain import PlainProgress
from sweep.progress.surroundings import NOWHERE, Surroundings
from sweep.progress.time_left import TimeLeft
from sweep.terminal.console import is_brief


def watch(
    console: Console,
    labels: Mapping[str, str],
    total: int,
    times: TimeLeft,
    surroundings: Surroundings = NOWHERE,
) -> PlainProgress:
    """Return a live display for a terminal, and plain lines for anything else."""
    if console.is_terminal and not console.is_dumb_terminal and not is_brief(console):
        return LiveProgress(console, labels, total, times, surroundings)
    return PlainProgress(console, labels, total, times)
