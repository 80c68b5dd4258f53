"""Settings of a scheduler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sweep.executors.fork_server import PRELOAD_GPT
from sweep.progress.watcher import Watcher
from sweep.running.budget import NO_BUDGET, Budget
from sweep.running.job_source import NO_SOURCE, JobSource
from sweep.running.supplier import NoSupplier, Supplier
from sweep.study.file import Study
from sweep.study.jobs_section import Jobs
from sweep.trainers.registry import trainer_of

TICK_SECONDS = 0.2
"""Maximum seconds to wait for a run to end before everything else is checked."""
CHECK_SECONDS = 1.0
"""Seconds between two checks of other schedulers and of the running attempts."""


@dataclass(frozen=True)
class Settings:
    """Settings of a scheduler."""

    jobs: Jobs
    study: str | None = None
    """Study that the jobs belong to; while it is paused, the scheduler waits."""
    fail_fast: bool = False
    """True to stop all runs as soon as one fails for good."""
    preload: Sequence[str] = PRELOAD_GPT
    """Modules that are imported once, before the runs are started."""
    budget: Budget = NO_BUDGET
    supplier: Supplier = field(default_factory=NoSupplier)
    """Decides which jobs come after the first ones."""
    source: JobSource = NO_SOURCE
    """Gives further jobs while others run, and may stop some."""
    watchers: Sequence[Watcher] = ()
    """Get every report of the scheduler, beside its display."""


def settings_for(study: Study, *, fail_fast: bool) -> Settings:
    """The settings of a scheduler that trains a study."""
    return Settings(study.jobs, study.name, fail_fast, trainer_of(study).preload(study))
