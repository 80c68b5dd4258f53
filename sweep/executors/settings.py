"""What an executor is made for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sweep.executors.fork_server import PRELOAD_GPT
from sweep.executors.slots import Slot
from sweep.study.jobs_section import Jobs


@dataclass(frozen=True, kw_only=True)
class ExecutorSettings:
    """The runs of one command, and where they are executed."""

    slots: Sequence[Slot]
    folder: Path
    """The folder of runs."""
    study: str = "sweep"
    """Name of the study."""
    jobs: Jobs = field(default_factory=Jobs)
    preload: Sequence[str] = PRELOAD_GPT
    """Modules that runs import; they can be imported once, before the first run."""

    @property
    def needs_torch(self) -> bool:
        """True for the built-in trainer, whose runs import torch."""
        return PRELOAD_GPT[0] in self.preload
