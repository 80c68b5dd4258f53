"""Checkpoints of one run: where training goes on after its process was ended.

    step-0000000123/             a checkpoint (see `trainer.training.sealed`): there when it is whole
    .writing-step-0000000123/    one that is being written
    .replaced-step-0000000123/   whole, too: on its way out while a new one takes its name
    .removed-step-0000000123/    one that is being deleted

One process at a time writes such a folder.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError

from model.config import Config
from trainer.errors import CheckpointError
from trainer.files import sync
from trainer.training.sealed import FIELDS, read_sealed, write_sealed

KEPT = 2
"""The newest, and the one before it, should the newest turn out to be damaged."""

_WHOLE = re.compile(r"(?P<replaced>\.replaced-)?step-(?P<step>[0-9]{10,})")
_UNFINISHED = re.compile(r"\.(writing|removed)-.*")
_REPLACED = re.compile(r"\.replaced-.*")


@dataclass(frozen=True)
class Checkpoint:
    """All that training needs to go on as if it had never been interrupted."""

    step: int
    """Steps taken so far."""
    tensors: dict[str, torch.Tensor]
    """A tied tensor once; on the CPU when they were read."""
    progress: dict[str, Any]
    """Plain JSON: objects, lists, text, whole numbers, and floats that are finite."""


class _Fields(Config):
    """What is kept as JSON."""

    identity: str
    step: int = Field(ge=0)
    progress: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run in a folder of their own.

    `identity` is a hash of what is trained, the recipe and the corpus.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder
        self.identity = identity

    def save(self, checkpoint: Checkpoint) -> None:
        """Write it, whole or not at all, then remove all but it and the one before it.

        Checkpoints of later steps go, too: training has gone back to before them.
        Raises CheckpointError when the disk does not take it, which harms no earlier one, and
        ValueError or TypeError for progress that JSON has no word for, such as a NaN.
        """
        final = self.folder / f"step-{checkpoint.step:010d}"
        aside = self.folder / f".writing-{final.name}"
        try:
            _make(self.folder)
            self._sweep(_UNFINISHED)
            self._write(aside, checkpoint)
            _publish(aside, final)
            self._prune(checkpoint.step)
        except (OSError, SafetensorError) as error:
            raise CheckpointError(
                f"the checkpoint of step {checkpoint.step} cannot be written to {self.folder} "
                f"({_reason(error)}); make room there, or make it writable: the run goes on "
                "without, and earlier checkpoints are whole"
            ) from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def latest(self, warn: Callable[[str], None]) -> Checkpoint | None:
        """The newest checkpoint that is undamaged, or None when there is none.

        `warn` is told, in a sentence each, of those that are damaged.
        Raises CheckpointError when the newest undamaged one is of another identity.
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

    def clear(self) -> None:
        """Remove every checkpoint, and the folder unless it holds something else.

        Raises CheckpointError when that is not possible.
        """
        try:
            for path in self._newest_first():
                _discard(path)
            self._sweep(_UNFINISHED)
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
                f"{self.folder} cannot be listed ({_reason(error)}); it is to be a folder of "
                "checkpoints: make it readable, or remove it"
            ) from error

    def _newest_first(self) -> list[Path]:
        """Checkpoints, damaged ones as well; of one step, the new one before the replaced one."""
        found = [match for path in self._entries() if (match := _WHOLE.fullmatch(path.name))]
        found.sort(key=lambda match: (int(match["step"]), not match["replaced"]), reverse=True)
        return [self.folder / match.string for match in found]

    def _write(self, aside: Path, checkpoint: Checkpoint) -> None:
        fields = _Fields(identity=self.identity, step=checkpoint.step, progress=checkpoint.progress)
        write_sealed(aside, checkpoint.tensors, fields.model_dump())

    def _read(self, path: Path) -> Checkpoint:
        """Raises OSError or ValueError when it is damaged, CheckpointError when it is foreign."""
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
        """Keep the checkpoint of this step and those before it, `KEPT` in all.

        Later ones are left over from before training went back, as a rule because they are
        damaged; kept, they would crowd out the whole ones.
        """
        self._sweep(_REPLACED)
        found = self._newest_first()
        kept = [path for path in found if _step(path) <= step][:KEPT]
        for path in found:
            if path not in kept:
                _discard(path)

    def _sweep(self, pattern: re.Pattern[str]) -> None:
        for path in self._entries():
            if pattern.fullmatch(path.name):
                _delete(path)


def _step(path: Path) -> int:
    return int(path.name.rpartition("-")[2])


def _warn_damaged(warn: Callable[[str], None], damaged: dict[Path, str], remedy: str) -> None:
    for path, what in damaged.items():
        warn(f"{path} is damaged ({what}); {remedy}")


def _make(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(parents=True)
        sync(folder.parent)


def _publish(aside: Path, final: Path) -> None:
    """Give a whole checkpoint its name; one that has the name already is whole until then."""
    if os.path.lexists(final):
        replaced = final.with_name(f".replaced-{final.name}")
        _delete(replaced)
        final.rename(replaced)
    aside.rename(final)
    sync(final.parent)


def _discard(path: Path) -> None:
    """Remove a checkpoint so that no half of one is seen under its name."""
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
