"""`[jobs]` of a study file: how runs are executed."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from sweep.study.executor_names import ExecutorName
from sweep.study.ray_section import Ray
from sweep.study.slurm_section import Slurm
from sweep.study.tracker_names import TrackerName
from trainer.execution import Execution, RunSettings


def _whole_or_share(value: float) -> float:
    """A whole number of GPUs, or one GPU divided by a whole number; 0.33 is meant as a third."""
    if value >= 1 and value == int(value):
        return int(value)
    runs = round(1 / value)
    if value >= 1 or abs(1 / value - runs) > 0.02 * runs:
        raise ValueError(
            "gpus_per_run is a whole number of GPUs, or 1 divided by the number of runs that share "
            "one GPU: 0.5, 0.33, 0.25, 0.2"
        )
    return 1 / runs


class Jobs(RunSettings):
    """How runs are executed; nothing here changes a result."""

    executor: ExecutorName = "local"
    """Where runs are executed: in processes of this machine (`local`), one after the other in the process of the command (`inline`), as jobs of a Slurm cluster (`slurm`), or on a Ray cluster (`ray`)."""
    slurm: Slurm | None = None
    """How runs are submitted to Slurm: the fields of `[jobs.slurm]` (`docs/clusters.md`)."""
    ray: Ray | None = None
    """How runs are placed on a Ray cluster: the fields of `[jobs.ray]`."""
    shared_filesystem: bool = True
    """False if no disk is shared with the nodes of a Ray cluster: Ray then carries recipes, corpora, results and weights."""
    gpus_per_run: Annotated[float, Field(ge=0.01, le=1024), AfterValidator(_whole_or_share)] = 1
    """GPUs per run, each training a part of every batch; processes if there is no GPU. 0.25: four runs share one."""
    nodes_per_run: int = Field(default=1, ge=1, le=1024)
    """Nodes of a cluster over which the GPUs of a run are spread evenly: 2 with `gpus_per_run = 16` is 8 on each. Only with `slurm` and `ray`."""
    mixed_devices: bool = False
    """True if runs may train on GPUs of several types. Otherwise that is refused: hardware is a confounder."""
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
    track: list[TrackerName] = Field(default=[], examples=[["tensorboard"]])
    """Trackers that show the runs while they train: `"tensorboard"`, `"wandb"`, `"mlflow"`, `"trackio"`."""

    @model_validator(mode="after")
    def _gpus_are_spread_evenly(self) -> Jobs:
        if self.nodes_per_run > 1 and self.gpus_per_run % self.nodes_per_run:
            raise ValueError(
                f"nodes_per_run = {self.nodes_per_run} and gpus_per_run = {self.gpus_per_run:g}: "
                "gpus_per_run counts the GPUs of a run on all of its nodes, so it must be a multiple of "
                f"{self.nodes_per_run}"
            )
        return self

    @property
    def processes_per_node(self) -> int:
        """Processes of a run on each of its nodes, one for each GPU if there are GPUs."""
        return max(1, int(self.gpus_per_run) // self.nodes_per_run)

    @property
    def may_have_gpus(self) -> bool:
        """False if the study says that runs train on CPUs: `gres = "none"` on Slurm."""
        slurm = self.slurm if self.executor == "slurm" else None
        return slurm is None or slurm.gres != "none"

    def execution(self) -> Execution:
        """The settings of each run."""
        settings = {name: getattr(self, name) for name in RunSettings.model_fields}
        return Execution(processes=max(1, int(self.gpus_per_run)), **settings)
