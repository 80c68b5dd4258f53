"""Jobs that are decided while a scheduler works: further rounds of a race."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sweep.workload.job import Job


@dataclass(frozen=True, kw_only=True)
class Round:
    """Further jobs, and what is known by now."""

    jobs: Mapping[str, Job] = field(default_factory=dict)
    """By label: ARM/SEED. They are queued already; none if there is nothing further to train."""
    fits: bool = True
    """False if there are jobs, and more of them than may be started."""
    news: Sequence[str] = ()
    """Sentences for people: which arms were decided."""


class Supplier(Protocol):
    """Decides by the results that are stored which jobs come next."""

    def more(self, room: int | None) -> Round:
        """Return the next jobs; called when all earlier ones have ended, or wait for a budget.

        `room`: the largest number of jobs that may be started; None for no limit. Raises
        StoreBusyError if the database cannot be written for now.
        """


class NoSupplier:
    """All jobs are known from the start."""

    def more(self, room: int | None) -> Round:  # noqa: ARG002  (as the protocol says)
        return Round()
