"""`[jobs]` of a study file: how runs are executed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from model.config import Whole
from trainer.execution import Execution, RunSettings


class Jobs(RunSettings):
    """How runs are executed; nothing here changes a result."""

    gpus_per_run: Annotated[int, Whole, Field(ge=1, le=1024)] = 1
    """GPUs per run, each training a part of every batch; processes if there is no GPU."""
    retries: int = Field(default=2, ge=0, le=100)
    """Times that a failed run is started again, from its last checkpoint."""
    retry_seconds: float = Field(default=2.0, ge=0, le=3600)
    """Seconds before a failed run is started again; four times as long each further time."""
    stall_timeout: float = Field(default=1800.0, ge=1)
    """Seconds without a step or a piece of the evaluation after which a run counts as hung."""
    timeout: float | None = Field(default=None, ge=1)
    """Seconds that one attempt may take; `none` for no limit."""
    stop_seconds: float = Field(default=60.0, gt=0)
    """Seconds that a stopping run has for its step and checkpoint before it is killed."""

    def execution(self) -> Execution:
        """The settings of each run."""
        settings = {name: getattr(self, name) for name in RunSettings.model_fields}
        return Execution(processes=self.gpus_per_run, **settings)
