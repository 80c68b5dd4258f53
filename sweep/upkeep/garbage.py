"""What lies below the folder of runs and is not needed.

Results, recipes, curves, logs and what a run goes on from are none of it: `sweep rebuild` makes
all of the database from what is left, and every run that has not ended continues.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from sweep.machine.disk import size_of
from sweep.store.ledger import NOISES, STUDIES, directory_name
from sweep.store.schema import arms, members, runs
from sweep.store.states import FINISHED
from sweep.store.store import Store
from sweep.workload.corpora import find_entries
from trainer.files import lock
from trainer.rundir.directory import RunDirectory

KINDS = {
    "checkpoints": "checkpoints of runs that ended",
    "leftovers": "files that were left half-written",
    "backups": "older backups of the database",
    "weights": "weights of finished runs",
    "corpora": "token files that no run reads",
    "unknown": "folders of runs that the database does not know",
}
ENDED = FINISHED | {"cancelled"}
"""States of runs that need no checkpoint."""
RUN = re.compile(r"[0-9a-f]{16}(-again)?")
"""How the folder of a run is called."""
WRITER = re.compile(r"\.(\d+)\.tmp|\.ranks-(\d+)$")
"""The process in the name of a file that it has not finished."""
STALE_SECONDS = 3600.0
"""A file that names no process, and was not written to for so long, was left."""


@dataclass(frozen=True)
class Item:
    """Something that can be removed."""

    kind: str
    """One of KINDS."""
    path: Path
    size: int
    """Bytes."""
    folder: Path | None = None
    """Where whoever still needs it holds the file `lock`."""

    @contextmanager
    def undisturbed(self) -> Iterator[bool]:
        """Whether nobody works in its folder; nobody begins to within the block."""
        try:
            file = (self.folder / "lock").open("r+b") if self.folder else None
        except FileNotFoundError:
            file = None
        if file is None:
            yield True
            return
        with file:
            yield lock(file.fileno(), wait=False)

    def remove(self) -> None:
        """Delete it. Raises OSError."""
        if self.path.is_dir() and not self.path.is_symlink():
            shutil.rmtree(self.path)
        else:
            self.path.unlink(missing_ok=True)


def find_garbage(store: Store, folder: Path) -> Iterator[Item]:
    """All that could be removed, in the order of the folders."""
    with store.begin() as connection:
        states = {
            directory_name(row.id): row.state
            for row in connection.execute(select(runs.c.id, runs.c.state))
        }
    begun_with = _initial_weights(store)
    for path in sorted(path for path in folder.glob("*") if RUN.fullmatch(path.name)):
        if path.is_symlink() or not path.is_dir():
            continue
        if path.name not in states:
            yield Item("unknown", path, size_of(path), path)
            continue
        needed = any(path.name in word for word in begun_with)
        yield from _of_run(RunDirectory(path), states[path.name], keep_weights=needed)
    for place in (folder, folder / STUDIES, folder / NOISES, folder / "cache"):
        yield from _leftovers(place)
    if store.file:
        yield from _backups(store.file)
    yield from _corpora(store, folder / "cache")


def folders_of(store: Store, studies: Sequence[str]) -> set[str]:
    """The folders of the runs that these studies have, and no other one has.

    Raises NotFoundError for a study that there is not.
    """
    names = {store.study(name).name for name in studies}
    query = select(members.c.run_id, arms.c.study).join(arms, arms.c.id == members.c.arm_id)
    with store.begin() as connection:
        rows = connection.execute(query).all()
    shared = {row.run_id for row in rows if row.study not in names}
    return {directory_name(row.run_id) for row in rows if row.run_id not in shared}


def _initial_weights(store: Store) -> Sequence[str]:
    """What runs begin with: such a folder, when it is one of a run, keeps its weights."""
    word = runs.c.recipe["train", "initial_weights"].as_string()
    with store.begin() as connection:
        found = connection.execute(select(word).distinct()).scalars().all()
    return [each for each in found if each]


def _of_run(run: RunDirectory, state: str, *, keep_weights: bool) -> Iterator[Item]:
    yield from _leftovers(run.path, run.path)
    if run.checkpoints.is_dir() and not run.checkpoints.is_symlink():
        if state in ENDED:
            yield Item("checkpoints", run.checkpoints, size_of(run.checkpoints), run.path)
        else:
            for path in _matching(run.checkpoints, ".writing-*", ".removed-*"):
                yield Item("leftovers", path, size_of(path), run.path)
    if state in FINISHED and run.weights.exists() and not keep_weights:
        yield Item("weights", run.weights, size_of(run.weights), run.path)


def _leftovers(place: Path, folder: Path | None = None) -> Iterator[Item]:
    found = () if place.is_symlink() else _matching(place, ".*.tmp*", ".tmp*", ".ranks-*")
    for path in found:
        writer = WRITER.search(path.name)
        if _is_left(path, int(writer[1] or writer[2]) if writer else None):
            yield Item("leftovers", path, size_of(path), folder)


def _is_left(path: Path, pid: int | None) -> bool:
    """Whether no process goes on writing to it."""
    try:
        if pid is None:
            return time.time() - path.lstat().st_mtime > STALE_SECONDS
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except (PermissionError, FileNotFoundError):
        return False
    return False


def _backups(file: Path) -> Iterator[Item]:
    """All but the latest, with what lies beside each."""
    found: dict[str, list[Path]] = {}
    name = glob.escape(file.name)
    for path in _matching(file.parent, f"{name}.v*-backup*", f"{name}.damaged-*"):
        found.setdefault(re.sub(r"-(wal|shm|journal)$", "", path.name), []).append(path)
    latest = max(found, key=lambda each: max(p.stat().st_ctime for p in found[each]), default="")
    for each, paths in sorted(found.items()):
        for path in paths if each != latest else ():
            yield Item("backups", path, size_of(path))


def _corpora(store: Store, cache: Path) -> Iterator[Item]:
    name = runs.c.recipe["data", "tokenizer"].as_string()
    with store.begin() as connection:
        read = {
            tuple(row) for row in connection.execute(select(runs.c.corpus_hash, name).distinct())
        }
    for entry in find_entries(cache):
        path, info = entry.folder, entry.info
        if info and (info.hash, info.tokenizer) in read:
            continue
        if entry.is_finished or (path / "lock").exists():
            yield Item("corpora", path, entry.size, path)
        elif _is_left(path, None):  # it was being copied from memory
            yield Item("leftovers", path, entry.size)


def _matching(folder: Path, *patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in folder.glob(pattern))
