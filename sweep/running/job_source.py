"""A source of jobs that are decided while others run: races and searches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sweep.workload.job import Job
from trainer.rundir.directory import Event


class JobSource(Protocol):
    """Gives a scheduler further jobs, by the results that are in the store by then.

    Jobs that another scheduler has queued for the same purpose are given too: whoever is free
    trains them.
    """

    @property
    def is_over(self) -> bool:
        """True if there will be no further jobs."""

    def next(self, free: int) -> Sequence[Job]:
        """Queue and return further jobs; about `free` of them can start now."""

    def advanced(self, job: Job, event: Event) -> Sequence[str]:
        """A job has taken some steps; returns sentences for people on what follows from it.

        Called for each point of its curve. Raises StoreBusyError.
        """


class NoMoreJobs:
    """The source of a command whose jobs are all known before the first one starts."""

    is_over = True

    def next(self, free: int) -> Sequence[Job]:  # noqa: ARG002  (there are none)
        return ()

    def advanced(self, job: Job, event: Event) -> Sequence[str]:  # noqa: ARG002
        """Curves decide nothing."""
        return ()


NO_SOURCE = NoMoreJobs()
