"""A run as queue and scheduler handle it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sweep.trainers.base import RunIdentity, RunSpec


@dataclass(frozen=True, kw_only=True)
class Job(RunIdentity):
    """A run to be trained: its ids and its specification."""

    spec: RunSpec


def label_jobs(jobs: Mapping[tuple[str, int], Job]) -> dict[str, Job]:
    """Jobs by label: ARM/SEED."""
    return {f"{arm}/{seed}": job for (arm, seed), job in jobs.items()}


def labels_of(jobs: Mapping[str, Job]) -> dict[str, str]:
    """Labels by run, of jobs by label."""
    return {job.run_id: label for label, job in jobs.items()}
