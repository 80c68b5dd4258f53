"""Slots: the places of this machine where runs are trained at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sweep.errors import ExecutionError, listed
from sweep.machine.processors import VISIBLE, available_cores, find_gpus, gpu_names
from trainer.sharing import share_environment


@dataclass(frozen=True)
class Slot:
    """A place for one run."""

    name: str
    """`gpu 0`, `gpu 0+1`, `gpu 0 1/4` (the first of four runs on it) or `cpu 3`."""
    device: str
    """A torch device: `cuda` or `cpu`."""
    threads: int
    """CPU threads."""
    environment: dict[str, str] = field(default_factory=dict)
    """Environment variables of the run."""
    share: float = 1.0
    """The share of its GPU's memory that the run may take."""


@dataclass(frozen=True)
class Inventory:
    """What this machine has for runs."""

    gpus: Sequence[str]
    """As CUDA_VISIBLE_DEVICES names them."""
    cores: int
    names: Sequence[str] = ()
    """Product names of the GPUs, in the same order; empty if they are not known."""

    @property
    def units(self) -> str:
        """What runs are given."""
        return "GPUs" if self.gpus else "cores"

    @property
    def available(self) -> int:
        """Number of GPUs, or of cores without a GPU."""
        return len(self.gpus) or self.cores


def take_inventory(*, with_torch: bool = True) -> Inventory:
    """The GPUs and cores that runs may use; `with_torch`: only GPUs that this torch can use."""
    gpus = find_gpus(with_torch=with_torch)
    return Inventory(gpus, available_cores(), gpu_names(gpus))


def find_slots(
    number: int | None = None,
    per_run: float = 1,
    inventory: Inventory | None = None,
    *,
    mixed: bool = False,
) -> list[Slot]:
    """Make one slot per `per_run` GPUs, or per `per_run` cores without a GPU.

    With `per_run` = 1/4, each GPU has four slots. `number` is the number of slots; None for as many
    as fit. Without GPUs a run may have more processes than there are cores, so that a study for many
    GPUs can be tried out. Raises ExecutionError if there are too few GPUs, or fewer cores than slots,
    or if the slots have GPUs of several types and `mixed` is false.
    """
    there = inventory or take_inventory()
    sharing = round(1 / per_run) if per_run < 1 else 1
    each = max(1, int(per_run))
    most = there.available // each * (sharing if there.gpus else 1)
    if not there.gpus:
        most = max(1, most)
    if not most:
        raise ExecutionError(
            f"jobs.gpus_per_run = {each} is not possible here; this machine has {there.available} "
            f"{there.units}, so 1 to {there.available} are allowed"
        )
    wanted = most if number is None else number
    if not 1 <= wanted <= most:
        shared = f", {each} for each run" if each > 1 else ""
        shared = f", {sharing} runs on each" if there.gpus and sharing > 1 else shared
        raise ExecutionError(
            f"--slots {wanted} is not possible here; this machine has {there.available} "
            f"{there.units}{shared}, so 1 to {most} are allowed"
        )
    threads = max(1, there.cores // wanted)
    if there.gpus:
        slots = _gpu_slots(there.gpus, each, sharing, threads)[:wanted]
        if not mixed:
            _check_one_type(there, slots)
        return slots
    return [Slot(f"cpu {index}", "cpu", threads) for index in range(wanted)]


def _gpu_slots(gpus: Sequence[str], each: int, sharing: int, threads: int) -> list[Slot]:
    """All slots; those that share a GPU come last, so that a few runs have a GPU each."""
    firsts = range(0, len(gpus) // each * each, each)
    groups = [gpus[first : first + each] for first in firsts]
    return [
        Slot(
            f"gpu {'+'.join(group)}{f' {turn}/{sharing}' if sharing > 1 else ''}",
            "cuda",
            threads,
            {VISIBLE: ",".join(group), **share_environment(1 / sharing)},
            1 / sharing,
        )
        for turn in range(1, sharing + 1)
        for group in groups
    ]


def _check_one_type(there: Inventory, slots: Sequence[Slot]) -> None:
    """Raise ExecutionError if the slots have GPUs of several types: hardware is a confounder."""
    used = {gpu for slot in slots for gpu in slot.environment[VISIBLE].split(",")}
    types: dict[str, list[str]] = {}
    for gpu, name in zip(there.gpus, there.names, strict=False):
        if gpu in used:
            types.setdefault(name, []).append(gpu)
    if len(types) <= 1:
        return
    most = max(types.values(), key=len)
    raise ExecutionError(
        f"the GPUs for the runs are of {len(types)} types: "
        f"{listed(f'{name} ({VISIBLE} {listed(gpus)})' for name, gpus in types.items())}; a study "
        "keeps to one, because other hardware rounds otherwise and would be mistaken for an effect. "
        f"Type {VISIBLE}={','.join(most)} before the command, or set jobs.mixed_devices = true"
    )
