"""Rounds of jobs: asks a supplier for the next one, and tells people and the summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sweep.progress.watcher import Summary, Watcher
from sweep.running.supplier import Supplier
from sweep.workload.job import Job


@dataclass(frozen=True)
class Rounds:
    """The rounds of one command."""

    supplier: Supplier
    watcher: Watcher
    summary: Summary

    def tell(self, news: Sequence[str]) -> None:
        """Show sentences on the results so far, if there are any."""
        if news:
            self.watcher.supplied({}, news)

    def next(self, room: int | None, *, waiting: bool) -> Sequence[Job]:
        """Return the jobs of the next round, when the others have ended; none if it is the end.

        `room`: the number of jobs that the budget has left; with 0, `waiting` ones stay, and only
        rounds whose results exist already are taken. Raises StoreBusyError.
        """
        found = self.supplier.more(room)
        self.summary.jobs.update(found.jobs)
        self.summary.spent = not found.fits or (room == 0 and waiting)
        self.watcher.supplied(found.jobs, found.news)
        return list(found.jobs.values())
