"""A run as queue and scheduler handle it."""

from __future__ import annotations

from dataclasses import dataclass

from sweep.trainers.base import RunIdentity, RunSpec


@dataclass(frozen=True, kw_only=True)
class Job(RunIdentity):
    """A run to be trained: its ids and its specification."""

    spec: RunSpec
