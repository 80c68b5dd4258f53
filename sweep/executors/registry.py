"""The registry of executors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sweep.executors.base import Executor
from sweep.executors.inline import InlineExecutor
from sweep.executors.local import LocalExecutor
from sweep.executors.slots import Slot

DEFAULT_EXECUTOR = "local"


def _inline(slots: Sequence[Slot]) -> Executor:
    def train(directory: Path) -> int:
        from trainer.processes.run import train_directory  # (brings torch)

        return train_directory(directory, slots[0].device, slots[0].threads)

    return InlineExecutor(train, slots=len(slots))


EXECUTORS: dict[str, Callable[[Sequence[Slot]], Executor]] = {
    DEFAULT_EXECUTOR: LocalExecutor,
    "inline": _inline,
}
"""By name: a function that makes an executor for some slots."""
