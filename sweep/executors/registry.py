"""The registry of executors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sweep.errors import ExecutionError
from sweep.executors.base import Executor
from sweep.executors.fork_server import Server
from sweep.executors.inline import InlineExecutor
from sweep.executors.local import LocalExecutor
from sweep.executors.mps import start_mps, with_mps
from sweep.executors.ray.executor import make_ray_executor, ray_slots, stop_runs
from sweep.executors.settings import ExecutorSettings
from sweep.executors.slots import Slot, find_slots, take_inventory
from sweep.executors.slurm import request
from sweep.executors.slurm.executor import SlurmExecutor
from sweep.machine.processors import available_cores
from sweep.study.executor_names import ExecutorName
from sweep.study.file import Study


@dataclass(frozen=True)
class Kind:
    """A kind of executor."""

    find_slots: Callable[[Study, int | None], list[Slot]]
    """Returns the slots for the runs of a study, at most as many as asked for.

    Raises ExecutionError if there are none.
    """
    make: Callable[[ExecutorSettings], Executor]
    """Makes an executor. Raises ExecutionError if it cannot be used here."""
    is_here: bool = False
    """True if runs use the GPUs of this machine."""
    asks_cluster: bool = False
    """True if its slots are found by asking a cluster, which takes seconds."""
    at_once: Callable[[Study, int], int] = lambda _, slots: slots
    """Returns how many runs of a study that has some slots can be trained at the same time."""
    cancel: Callable[[Path, Sequence[Path]], int] | None = None
    """Ends jobs of run directories that go on without a scheduler; returns how many are known.

    The first argument is the folder of runs. None if runs end with their scheduler.
    """


def slots_for(study: Study, number: int | None = None) -> list[Slot]:
    """The slots for the runs of a study, in the executor that it names.

    `number`: at most so many; None for as many as there are. Raises ExecutionError.
    """
    return EXECUTORS[study.jobs.executor].find_slots(study, number)


@dataclass(frozen=True)
class Capacity:
    """How many runs are trained at the same time."""

    at_once: int
    """On all machines together, if a cluster has room for them."""
    per_machine: int
    """On a machine like this one, whose cores they share: what their pace is guessed from."""


def capacity(study: Study, slots: Sequence[Slot]) -> Capacity:
    """How many runs of a study are trained at the same time in its slots."""
    kind = EXECUTORS[study.jobs.executor]
    at_once = kind.at_once(study, len(slots))
    own = available_cores() // max(1, slots[0].threads) if slots else 1
    return Capacity(at_once, len(slots) if kind.is_here else max(1, own))


def make_executor(settings: ExecutorSettings) -> Executor:
    """Make the executor that a study names. Raises ExecutionError if it cannot be used here."""
    return EXECUTORS[settings.jobs.executor].make(settings)


def _slots_here(study: Study, number: int | None) -> list[Slot]:
    """The slots of this machine."""
    jobs = study.jobs
    if jobs.nodes_per_run > 1:
        raise ExecutionError(
            f"jobs.nodes_per_run = {jobs.nodes_per_run} is for runs on a cluster, and "
            f"--executor {jobs.executor} trains on this machine alone; set jobs.nodes_per_run = 1, or "
            "choose --executor slurm or ray"
        )
    there = take_inventory(with_torch=study.trainer is None)
    return find_slots(number, jobs.gpus_per_run, there, mixed=jobs.mixed_devices)


def _one_slot(study: Study, number: int | None) -> list[Slot]:
    """The slot of this process: it trains one run after the other."""
    return _slots_here(study, number)[:1]


def _local(settings: ExecutorSettings) -> Executor:
    daemon = start_mps(settings.slots)
    server = partial(Server, preload=settings.preload)
    return LocalExecutor(with_mps(settings.slots, daemon), server, daemon)


def _inline(settings: ExecutorSettings) -> Executor:
    def train(directory: Path, attempt: int) -> int:
        from trainer.processes.run import train_directory  # (brings torch)

        slot = settings.slots[0]
        return train_directory(directory, slot.device, slot.threads, attempt)

    return InlineExecutor(train, slots=len(settings.slots))


EXECUTORS: dict[ExecutorName, Kind] = {
    "local": Kind(_slots_here, _local, is_here=True),
    "inline": Kind(_one_slot, _inline, is_here=True),
    "slurm": Kind(
        request.find_slots,
        SlurmExecutor,
        at_once=request.jobs_at_once,
        cancel=request.cancel_jobs,
    ),
    "ray": Kind(ray_slots, make_ray_executor, asks_cluster=True, cancel=stop_runs),
}
