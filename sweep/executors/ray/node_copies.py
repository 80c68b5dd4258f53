"""Copies of run directories and corpora on a node's own disk, where no disk is shared."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from sweep.executors.ray.copies import Copy, Known, Update, read_update
from trainer.rundir.directory import RunDirectory

CORPUS = "corpus:"
"""Prefix of the name under which a corpus is sent."""
DONE = "corpus done:"
"""Prefix under which a corpus is said to be complete."""


def copies_home(folder: str) -> Path:
    """The folder of the copies of run directories, in the folder that `jobs.ray.folder` names."""
    return Path(os.path.expandvars(folder)).expanduser().resolve() / "runs"


class NodeCopies:
    """The copies of one node. Without a folder, the disk is shared, and there are none."""

    def __init__(self, folder: str | None) -> None:
        self._home = copies_home(folder) if folder else None
        self._arriving: dict[str, Copy] = {}

    def place_of(self, directory: str) -> Path:
        """Where a run directory of the scheduler is on this node."""
        path = Path(directory)
        return self._home / path.name if self._home else path

    def prepare(self, directory: str, attempt: int, corpus: str | None) -> bool:
        """Make room for a copy of a run directory; returns whether its corpus is here."""
        place = self.place_of(directory)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        RunDirectory(place).lock.announce(attempt)
        self._arriving[directory] = Copy(place)
        return corpus is None or (self._cache / corpus).is_dir()

    def accept(self, name: str, update: Update) -> None:
        """Write into the copy of a run directory, or of a corpus (see `CORPUS` and `DONE`)."""
        if name.startswith(DONE):
            self._keep_corpus(name.removeprefix(DONE))
            return
        if name.startswith(CORPUS) and name not in self._arriving:
            self._cache.mkdir(parents=True, exist_ok=True)
            self._arriving[name] = Copy(Path(tempfile.mkdtemp(prefix=".", dir=self._cache)))
        self._arriving[name].apply(update)

    def read(self, directory: str, known: Known) -> tuple[Update, int | None]:
        """Return what the scheduler's folder lacks of a run, and the run's last sign of life.

        Raises FileNotFoundError if the copy was removed: that must not remove the scheduler's files.
        """
        place = self.place_of(directory)
        if not place.is_dir():
            raise FileNotFoundError(f"{place} was removed")
        return read_update(place, known), RunDirectory(place).lock.last_beat()

    def remove(self, directory: str) -> None:
        """Remove the copy of a run directory whose files the scheduler has."""
        if self._home:
            shutil.rmtree(self.place_of(directory), ignore_errors=True)

    @property
    def _cache(self) -> Path:
        assert self._home  # noqa: S101  (only called where no disk is shared)
        return self._home / "cache"

    def _keep_corpus(self, name: str) -> None:
        """Give a corpus that has arrived its name, unless another run was faster."""
        folder = self._arriving.pop(CORPUS + name).folder
        try:
            folder.rename(self._cache / name)
        except OSError:
            shutil.rmtree(folder)
