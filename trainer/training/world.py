"""The processes that train one run together, and their communication."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainer.errors import ExecutionSettingError
from trainer.execution import Execution
from trainer.words import counted

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


LOST_PARTNER_SECONDS = 20.0
"""Seconds that a process waits to be killed by the supervisor after another process has ended."""


@dataclass(frozen=True)
class World:
    """One process among `size`; by default the only one, which exchanges nothing."""

    rank: int = 0
    size: int = 1
    control: ProcessGroup | None = None
    """A process group for small tensors on the CPU."""

    def part(self, sequences: int) -> slice:
        """The sequences of a global batch that this process trains on.

        Raises ExecutionSettingError if there are more processes than sequences.
        """
        if self.size > sequences:
            raise ExecutionSettingError(
                f"{self.size} processes cannot share a batch of {counted(sequences, 'sequence')}; "
                f"raise train.batch_size, or use at most {sequences} (jobs.gpus_per_run)"
            )
        return slice(sequences * self.rank // self.size, sequences * (self.rank + 1) // self.size)

    def sum(self, tensor: Tensor) -> None:
        """Replace `tensor`, on the run's device, by its sum over the processes."""
        if self.size > 1:
            self._exchange(tensor, None)

    def sum_on_cpu(self, tensor: Tensor) -> None:
        """Replace `tensor`, on the CPU, by its sum over the processes."""
        if self.size > 1:
            self._exchange(tensor, self.control)

    def _exchange(self, tensor: Tensor, group: ProcessGroup | None) -> None:
        try:
            torch.distributed.all_reduce(tensor, group=group)
        except RuntimeError:
            # Another process has ended and logged the reason. This one is about to be killed; its
            # own traceback would only hide that reason in the log.
            time.sleep(LOST_PARTNER_SECONDS)
            raise

    def any(self, flag: bool) -> bool:
        """True if `flag` is true in any process."""
        if self.size == 1:
            return flag
        flags = torch.tensor(int(flag))
        self.sum_on_cpu(flags)
        return bool(flags)

    def first(self, number: int) -> int:
        """The number that the first process has."""
        if self.size == 1:
            return number
        shared = torch.tensor(number)
        torch.distributed.broadcast(shared, 0, group=self.control)
        return int(shared)

    def gather(self, sentences: list[str]) -> list[str]:
        """The sentences of all processes, without duplicates."""
        if self.size == 1:
            return sentences
        gathered: list[list[str]] = [[] for _ in range(self.size)]
        torch.distributed.all_gather_object(gathered, sentences, group=self.control)
        return list(dict.fromkeys(sentence for some in gathered for sentence in some))


@dataclass(frozen=True)
class Place:
    """The device, the processes and the settings of a run."""

    device: torch.device
    execution: Execution = field(default_factory=Execution)
    world: World = World()
    cache: Path | None = None
    """The folder to remember micro-batches and compiled kernels in; None for none."""


@contextmanager
def join(rank: int, size: int, device: torch.device, rendezvous: Path | None) -> Iterator[World]:
    """Connect to the run's other processes: NCCL between GPUs, gloo between CPUs.

    They meet in the file `rendezvous` of this machine, or without one at MASTER_ADDR and MASTER_PORT.
    """
    import torch.distributed as dist

    if rendezvous:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    if device.type == "cuda":
        # Otherwise pinned memory creates a context on GPU 0 in every rank.
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    where = f"file://{rendezvous}" if rendezvous else "env://"
    dist.init_process_group(backend, init_method=where, rank=rank, world_size=size)
    try:
        yield World(rank, size, dist.new_group(backend="gloo"))
    finally:
        dist.destroy_process_group()
