"""A run as the queue and the schedulers know it."""

from __future__ import annotations

from dataclasses import dataclass

from sweep.trainers.base import RunIdentity, RunSpec


@dataclass(frozen=True, kw_only=True)
class Job(RunIdentity):
    """One run to be trained: its names, and what it trains."""

    spec: RunSpec
