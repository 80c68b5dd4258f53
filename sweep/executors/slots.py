"""Slots: the places of this machine where runs are trained at the same time."""

from __future__ import annotations

from dataclasses import dataclass, field

from sweep.errors import ExecutionError
from sweep.machine.processors import available_cores, find_gpus


@dataclass(frozen=True)
class Slot:
    """A place for one run."""

    name: str
    """`gpu 0`, `gpu 0+1` or `cpu 3`."""
    device: str
    """A torch device: `cuda` or `cpu`."""
    threads: int
    """CPU threads."""
    environment: dict[str, str] = field(default_factory=dict)
    """Environment variables of the run."""


def find_slots(number: int | None = None, per_run: int = 1) -> list[Slot]:
    """Make one slot per `per_run` GPUs, or per `per_run` cores without a GPU.

    `number` is the number of slots; None for as many as fit. Without GPUs a run may have more
    processes than there are cores, so that a study for many GPUs can be tried out.
    Raises ExecutionError if there are too few GPUs, or fewer cores than slots.
    """
    gpus, cores = find_gpus(), available_cores()
    available, unit = (len(gpus), "GPUs") if gpus else (cores, "cores")
    most = available // per_run if gpus else max(1, available // per_run)
    if not most:
        raise ExecutionError(
            f"jobs.gpus_per_run = {per_run} is not possible here; this machine has {available} "
            f"{unit}, so 1 to {available} are allowed"
        )
    wanted = most if number is None else number
    if not 1 <= wanted <= most:
        shared = f", {per_run} for each run" if per_run > 1 else ""
        raise ExecutionError(
            f"--slots {wanted} is not possible here; this machine has {available} {unit}{shared}, "
            f"so 1 to {most} are allowed"
        )
    threads = max(1, cores // wanted)
    if gpus:
        groups = [gpus[first : first + per_run] for first in range(0, wanted * per_run, per_run)]
        return [
            Slot(
                f"gpu {'+'.join(group)}", "cuda", threads, {"CUDA_VISIBLE_DEVICES": ",".join(group)}
            )
            for group in groups
        ]
    return [Slot(f"cpu {index}", "cpu", threads) for index in range(wanted)]
