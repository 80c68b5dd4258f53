"""The registry of executors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from sweep.executors.base import Executor
from sweep.executors.fork_server import Server
from sweep.executors.inline import InlineExecutor
from sweep.executors.local import LocalExecutor
from sweep.executors.slots import Slot

DEFAULT_EXECUTOR = "local"


def _local(slots: Sequence[Slot], preload: Sequence[str]) -> Executor:
    return LocalExecutor(slots, partial(Server, preload=preload))


def _inline(slots: Sequence[Slot], preload: Sequence[str]) -> Executor:  # noqa: ARG001  (as others)
    def train(directory: Path) -> int:
        from trainer.processes.run import train_directory  # (brings torch)

        return train_directory(directory, slots[0].device, slots[0].threads)

    return InlineExecutor(train, slots=len(slots))


EXECUTORS: dict[str, Callable[[Sequence[Slot], Sequence[str]], Executor]] = {
    DEFAULT_EXECUTOR: _local,
    "inline": _inline,
}
"""By name: a function that makes an executor for some slots, and modules that runs import."""
