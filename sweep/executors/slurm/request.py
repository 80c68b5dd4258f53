"""What a study asks of Slurm, checked against what the cluster has."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from sweep.errors import ExecutionError, did_you_mean, listed
from sweep.executors.settings import ExecutorSettings
from sweep.executors.slots import Slot
from sweep.executors.slurm.client import Client, SlurmError, Task
from sweep.executors.slurm.tracked import find_job, open_note, queue_of
from sweep.study.explain import explain
from sweep.study.file import Study
from sweep.study.jobs_section import Jobs
from sweep.study.slurm_section import Slurm
from trainer.processes.node import NodeFacts, torch_version
from trainer.processes.worker import Order
from trainer.sharing import share_environment

FROM_SHELL = ("partition", "account", "qos")
"""Fields that sbatch's own variables set if the study does not: `SBATCH_ACCOUNT` and the like."""


def slurm_of(jobs: Jobs) -> Slurm:
    """Return the settings of `[jobs.slurm]`, with a core for each process of a run on a node.

    Raises ExecutionError if a variable of sbatch has a value that is not allowed.
    """
    slurm = jobs.slurm or Slurm()
    absent = [name for name in FROM_SHELL if getattr(slurm, name) is None]
    given = {name: os.environ.get(f"SBATCH_{name.upper()}") for name in absent}
    try:
        shell = Slurm.model_validate(given)
    except ValidationError as error:
        raise ExecutionError(f"SBATCH_ variables: {explain(error, Slurm)[0].sentence}") from error
    found = {name: getattr(shell, name) for name in absent}
    return slurm.model_copy(update={**found, "cpus": slurm.cpus or jobs.processes_per_node})


def find_slots(study: Study, number: int | None) -> list[Slot]:
    """Return one slot for each job that may be in Slurm's queue at the same time."""
    slurm = slurm_of(study.jobs)
    return [
        Slot(f"job {index}", "slurm", slurm.cpus or 1)
        for index in range(number or slurm.array_size)
    ]


def jobs_at_once(study: Study, slots: int) -> int:
    """Return how many of the jobs in Slurm's queue may run at the same time (`%N` of an array)."""
    return min(slots, slurm_of(study.jobs).running or slots)


def check_partition(client: Client, slurm: Slurm) -> dict[str, bool]:
    """Return the partitions that jobs go to, and whether each has GPUs.

    Raises ExecutionError for one that the cluster does not have.
    """
    there = client.partitions()
    default = client.default_partition()
    names = slurm.partition.split(",") if slurm.partition else [default] if default else []
    for name in names:
        if name not in there:
            raise ExecutionError(
                f"jobs.slurm.partition: this cluster has no partition {name!r}; it has "
                f"{listed(there)}{did_you_mean(name, there)}"
            )
    return {name: there[name] for name in names}


def gres_for(jobs: Jobs, slurm: Slurm, *, gpus: bool) -> str:
    """Return the resources that a job asks for; empty for none. Raises ExecutionError."""
    if slurm.gres:
        return "" if slurm.gres == "none" else slurm.gres
    if not gpus:
        return ""
    if jobs.gpus_per_run < 1:
        raise ExecutionError(
            f"jobs.gpus_per_run = {jobs.gpus_per_run:g}: Slurm gives each job GPUs of its own; where "
            'it shares them, set jobs.slurm.gres to what it calls a share, such as "shard:1" or '
            '"mps:25", else jobs.gpus_per_run = 1'
        )
    return f"gpu:{jobs.processes_per_node}"


def make_order(
    settings: ExecutorSettings, facts: NodeFacts | None, directory: Path, attempt: int
) -> Order:
    """Return what a node is told of an attempt; `facts`: what the probe has found on one."""
    on_gpu = bool(facts and facts.cuda)
    return Order(
        directory=directory,
        attempt=attempt,
        nodes=settings.jobs.nodes_per_run,
        device="cuda" if on_gpu else "cpu",
        environment=share_environment(settings.jobs.gpus_per_run) if on_gpu else {},
        torch=torch_version() if settings.needs_torch else None,
    )


def cancel_jobs(runs: Path, directories: Sequence[Path]) -> int:
    """Cancel the jobs of some run directories by one `scancel`; returns how many there were.

    Raises ExecutionError if Slurm does not answer.
    """
    submitted = [(each, note) for each in directories if (note := open_note(each))]
    if not submitted:
        return 0
    client = Client()
    try:
        queue = queue_of(client.queue())
        found = [find_job(runs.resolve(), directory, note, queue) for directory, note in submitted]
        tasks: list[Task] = [job.task for job in found if job and job.task]
        client.cancel(tasks)
    except SlurmError as error:
        raise ExecutionError(
            f"the runs are cancelled, but their jobs may go on, because Slurm gave an error: {error}. "
            "The same command tries again"
        ) from error
    return len(tasks)
