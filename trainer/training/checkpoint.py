"""Checkpoints of one run, from which training continues after its process has ended.

    step-0000000123/             a complete checkpoint (see `trainer.training.sealed`)
    .writing-step-0000000123/    a checkpoint that is being written
    .replaced-step-0000000123/   also complete: the older checkpoint, while a new one gets its name
    .removed-step-0000000123/    a checkpoint that is being deleted

Only one process at a time writes to such a folder.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError

from model.config import Config
from trainer.errors import CheckpointError
from trainer.files import look_again, sync
from trainer.training.sealed import FIELDS, read_sealed, write_sealed
from trainer.training.world import World

KEPT = 2
"""Number of checkpoints to keep: the newest, and the previous one in case the newest is damaged."""

SEEN_SECONDS = 120.0
"""Seconds in which all nodes must see a checkpoint: NFS remembers names for a minute."""

_COMPLETE = re.compile(r"(?P<replaced>\.replaced-)?step-(?P<step>[0-9]{10,})")
_UNFINISHED = re.compile(r"\.(writing|removed)-.*")
_REPLACED = re.compile(r"\.replaced-.*")


@dataclass(frozen=True)
class Checkpoint:
    """All state that training needs to continue with bit-identical results."""

    step: int
    """Steps taken so far."""
    tensors: dict[str, torch.Tensor]
    """Tensors by name; tied parameters are stored once. On the CPU after reading."""
    progress: dict[str, Any]
    """JSON values: objects, lists, strings, integers and finite floats."""


class _Fields(Config):
    """The JSON part of a checkpoint."""

    identity: str
    step: int = Field(ge=0)
    progress: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run in their own folder.

    `identity` is a hash of the recipe and the corpus.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder
        self.identity = identity

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, whole or not at all; then delete all others but the previous one.

        Checkpoints of later steps are deleted too: training has gone back to before them.
        Raises CheckpointError if it cannot be written (earlier checkpoints stay intact), and
        ValueError or TypeError for progress that JSON cannot represent, such as NaN.
        """
        final = self.folder / f"step-{checkpoint.step:010d}"
        aside = self.folder / f".writing-{final.name}"
        try:
            _make_folder(self.folder)
            self._delete_matching(_UNFINISHED)
            self._write(aside, checkpoint)
            _publish(aside, final)
            self._prune(checkpoint.step)
        except (OSError, SafetensorError) as error:
            raise CheckpointError(
                f"the checkpoint of step {checkpoint.step} cannot be written to {self.folder} "
                f"({_reason(error)}); free some space, or make it writable; the run "
                "continues without it, and earlier checkpoints are intact"
            ) from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def latest(self, warn: Callable[[str], None]) -> Checkpoint | None:
        """The newest undamaged checkpoint; None if there is none.

        Calls `warn` with a message for each damaged one.
        Raises CheckpointError if the newest undamaged one belongs to another identity.
        """
        damaged: dict[Path, str] = {}
        for path in self._newest_first():
            try:
                found = self._read(path)
            except (OSError, ValueError) as error:
                damaged[path] = _reason(error)
            else:
                _warn_damaged(warn, damaged, f"the one before it, {path.name}, is used")
                return found
        _warn_damaged(warn, damaged, "training starts again from the first step")
        return None

    def latest_of_all(self, world: World, warn: Callable[[str], None]) -> Checkpoint | None:
        """The checkpoint that `latest` returns in the first process of a run, in each of them.

        Another node may see a new checkpoint later. Raises CheckpointError as `latest` does, and if
        that takes longer than SEEN_SECONDS.
        """
        found = self.latest(warn)
        step = world.first(_step_of(found))
        deadline = time.monotonic() + SEEN_SECONDS
        while _step_of(found) != step:
            if time.monotonic() > deadline:
                raise CheckpointError(
                    f"{socket.gethostname()} does not see in {self.folder} what the first node of the "
                    f"run sees (step {step}, here step {_step_of(found)}); the folder of runs must be "
                    "on a disk that all nodes share"
                )
            time.sleep(1.0)
            look_again(self.folder)
            found = self.latest(lambda _damaged: None)
        return found

    def clear(self) -> None:
        """Remove every checkpoint, and the folder unless it has other files.

        Raises CheckpointError if that fails.
        """
        try:
            for path in self._newest_first():
                _discard(path)
            self._delete_matching(_UNFINISHED)
            if self.folder.exists() and not any(self.folder.iterdir()):
                self.folder.rmdir()
        except OSError as error:
            raise CheckpointError(
                f"the checkpoints in {self.folder} cannot be removed ({_reason(error)}); "
                "remove this folder by hand"
            ) from error

    def _entries(self) -> list[Path]:
        try:
            return sorted(self.folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CheckpointError(
                f"{self.folder} cannot be listed ({_reason(error)}); it must be a folder of "
                "checkpoints: make it readable, or remove it"
            ) from error

    def _newest_first(self) -> list[Path]:
        """All checkpoints, damaged ones too. Of the same step, the new one before the replaced."""
        found = [match for path in self._entries() if (match := _COMPLETE.fullmatch(path.name))]
        found.sort(key=lambda match: (int(match["step"]), not match["replaced"]), reverse=True)
        return [self.folder / match.string for match in found]

    def _write(self, aside: Path, checkpoint: Checkpoint) -> None:
        fields = _Fields(identity=self.identity, step=checkpoint.step, progress=checkpoint.progress)
        write_sealed(aside, checkpoint.tensors, fields.model_dump())

    def _read(self, path: Path) -> Checkpoint:
        """Raises OSError or ValueError for a damaged one, CheckpointError for another identity."""
        tensors, content = read_sealed(path)
        try:
            fields = _Fields.model_validate(content)
        except ValidationError as error:
            raise ValueError(f"{FIELDS} does not hold the fields of a checkpoint") from error
        if fields.step != _step(path):
            raise ValueError(f"{FIELDS} is of another step")
        if fields.identity != self.identity:
            raise CheckpointError(
                f"{path} belongs to another recipe or corpus than the one to be trained; "
                f"remove {self.folder} or use another run directory"
            )
        return Checkpoint(fields.step, tensors, fields.progress)

    def _prune(self, step: int) -> None:
        """Keep the checkpoint of this step and earlier ones, `KEPT` in all; delete the others.

        Later checkpoints exist if training went back to an earlier step, usually because they are
        damaged. If they were kept, they would push out undamaged ones.
        """
        self._delete_matching(_REPLACED)
        found = self._newest_first()
        kept = [path for path in found if _step(path) <= step][:KEPT]
        for path in found:
            if path not in kept:
                _discard(path)

    def _delete_matching(self, pattern: re.Pattern[str]) -> None:
        for path in self._entries():
            if pattern.fullmatch(path.name):
                _delete(path)


def _step_of(found: Checkpoint | None) -> int:
    """The step of a checkpoint; -1 if there is none."""
    return -1 if found is None else found.step


def _step(path: Path) -> int:
    return int(path.name.rpartition("-")[2])


def _warn_damaged(warn: Callable[[str], None], damaged: dict[Path, str], remedy: str) -> None:
    for path, reason in damaged.items():
        warn(f"{path} is damaged ({reason}); {remedy}")


def _make_folder(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(parents=True)
        sync(folder.parent)


def _publish(aside: Path, final: Path) -> None:
    """Rename a complete checkpoint to its final name; an older one of that name is moved aside."""
    if os.path.lexists(final):
        replaced = final.with_name(f".replaced-{final.name}")
        _delete(replaced)
        final.rename(replaced)
    aside.rename(final)
    sync(final.parent)


def _discard(path: Path) -> None:
    """Delete a checkpoint; renames it first, so that a half-deleted one has no valid name."""
    removed = path.with_name(f".removed-{path.name}")
    _delete(removed)
    path.rename(removed)
    _delete(removed)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
