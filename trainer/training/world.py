"""The processes that train one run together, and what they tell each other."""

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

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


LOST_PARTNER_SECONDS = 5.0
"""Seconds that a process whose partner is gone leaves to whoever watches over them."""


@dataclass(frozen=True)
class World:
    """One process among `size`; alone by default, and then nothing is exchanged."""

    rank: int = 0
    size: int = 1
    control: ProcessGroup | None = None
    """A group for small tensors on the CPU, whatever the others are on."""

    def part(self, sequences: int) -> slice:
        """This process's sequences of a global batch.

        Raises ExecutionSettingError when there are more processes than sequences.
        """
        if self.size > sequences:
            raise ExecutionSettingError(
                f"{self.size} processes cannot share a batch of {sequences} sequences; "
                f"raise train.batch_size, or use at most {sequences} (jobs.gpus_per_run)"
            )
        return slice(sequences * self.rank // self.size, sequences * (self.rank + 1) // self.size)

    def sum(self, tensor: Tensor) -> None:
        """Replace `tensor`, on the run's device, by its sum over the processes."""
        if self.size > 1:
            self._exchange(tensor, None)

    def sum_on_cpu(self, tensor: Tensor) -> None:
        """As `sum`, for a tensor on the CPU."""
        if self.size > 1:
            self._exchange(tensor, self.control)

    def _exchange(self, tensor: Tensor, group: ProcessGroup | None) -> None:
        try:
            torch.distributed.all_reduce(tensor, group=group)
        except RuntimeError:
            # Another process is gone, and said why. This one is about to be killed for that, and
            # a traceback of its own would only hide the other's words in the log.
            time.sleep(LOST_PARTNER_SECONDS)
            raise

    def any(self, flag: bool) -> bool:
        """Whether `flag` is set in any process."""
        if self.size == 1:
            return flag
        flags = torch.tensor(int(flag))
        self.sum_on_cpu(flags)
        return bool(flags)

    def gather(self, sentences: list[str]) -> list[str]:
        """The sentences of all processes, each once."""
        if self.size == 1:
            return sentences
        everyone: list[list[str]] = [[] for _ in range(self.size)]
        torch.distributed.all_gather_object(everyone, sentences, group=self.control)
        return list(dict.fromkeys(sentence for some in everyone for sentence in some))


@dataclass(frozen=True)
class Place:
    """Where a run is trained, and how."""

    device: torch.device
    execution: Execution = field(default_factory=Execution)
    world: World = World()
    cache: Path | None = None
    """Where what was learnt about devices is kept."""


@contextmanager
def join(rank: int, size: int, device: torch.device, meeting_point: Path) -> Iterator[World]:
    """Meet the other processes of a run: NCCL between GPUs, gloo between CPUs, on one machine."""
    import torch.distributed as dist

    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    if device.type == "cuda":
        torch.cuda.set_device(device)  # pinned memory would make a context on GPU 0 in every rank
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(
        backend, init_method=f"file://{meeting_point}", rank=rank, world_size=size
    )
    try:
        yield World(rank, size, dist.new_group(backend="gloo"))
    finally:
        dist.destroy_process_group()
