"""Settings of a scheduler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sweep.executors.fork_server import PRELOAD_GPT
from sweep.study.file import Study
from sweep.study.jobs_section import Jobs
from sweep.trainers.registry import trainer_of


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


def settings_for(study: Study, *, fail_fast: bool) -> Settings:
    """The settings of a scheduler that trains a study."""
    return Settings(study.jobs, study.name, fail_fast, trainer_of(study).preload(study))
