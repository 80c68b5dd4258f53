"""Files below the folder of runs that are not needed.

Results, recipes, curves, logs, and checkpoints of runs that have not ended are needed: from them
`sweep rebuild` makes the whole database, and every such run continues.
"""

from __future__ import annotations

import errno
import glob
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from sqlalchemy import select

from sweep.machine.disk import size_of
from sweep.store.ledger import NOISES, STUDIES, directory_name
from sweep.store.schema import arms, members, runs
from sweep.store.states import FINISHED, RunState
from sweep.store.store import Store
from sweep.upkeep.job_arrays import unneeded_arrays
from sweep.workload.corpora import find_entries
from trainer.files import lock
from trainer.rundir.directory import RunDirectory


class GarbageKind(StrEnum):
    """A kind of files that can be removed."""

    CHECKPOINTS = "checkpoints"
    """Checkpoints of runs that ended."""
    LEFTOVERS = "leftovers"
    """Files that were left half-written."""
    JOBS = "jobs"
    """Scripts and output of Slurm jobs whose runs have results or are cancelled."""
    BACKUPS = "backups"
    """Backups of the database, all but the latest."""
    WEIGHTS = "weights"
    """Weights of finished runs."""
    CORPORA = "corpora"
    """Token files that no run reads."""
    UNKNOWN = "unknown"
    """Folders of runs that the database does not know."""


STATES_WITHOUT_CHECKPOINT = FINISHED | {RunState.CANCELLED}
"""States of runs that need no checkpoint."""
RUN_FOLDER = re.compile(r"[0-9a-f]{16}(-again)?")
"""Name of a run's folder."""
UNFINISHED_FILE = re.compile(r"\.(\d+)\.tmp|\.ranks-(\d+)$")
"""Name of a file that is being written: it holds the id of the process that writes it."""
STALE_SECONDS = 3600.0
"""Time without a write after which a file that names no process counts as abandoned."""


@dataclass(frozen=True)
class Item:
    """A file or folder that can be removed."""

    kind: GarbageKind
    path: Path
    size: int
    """Bytes."""
    locked_folder: Path | None = None
    """The folder with the file `lock` that a process holds while it needs this item."""

    @contextmanager
    def lock_folder(self) -> Iterator[bool]:
        """Hold the lock of the folder within the block; yields False if a process holds it."""
        try:
            file = _open_lock(self.locked_folder / "lock") if self.locked_folder else None
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


def _open_lock(path: Path) -> IO[bytes]:
    try:
        return path.open("r+b")  # NFS locks only files that are open to write
    except OSError as error:
        if error.errno not in {errno.EACCES, errno.EROFS}:
            raise
        return path.open("rb")


def find_garbage(store: Store, folder: Path) -> Iterator[Item]:
    """Yield everything that could be removed, folder by folder."""
    with store.begin() as connection:
        states = {
            directory_name(row.id): row.state
            for row in connection.execute(select(runs.c.id, runs.c.state))
        }
    initial_weights = _initial_weights(store)
    for path in sorted(path for path in folder.glob("*") if RUN_FOLDER.fullmatch(path.name)):
        if path.is_symlink() or not path.is_dir():
            continue
        if path.name not in states:
            yield Item(GarbageKind.UNKNOWN, path, size_of(path), path)
            continue
        needed = any(path.name in folder_name for folder_name in initial_weights)
        yield from _of_run(RunDirectory(path), states[path.name], keep_weights=needed)
    for path in unneeded_arrays(folder, states):
        if _is_abandoned(path, None):  # or else it may be about to be submitted
            yield Item(GarbageKind.JOBS, path, size_of(path))
    for place in (folder, folder / STUDIES, folder / NOISES, folder / "cache"):
        yield from _leftovers(place)
    if store.file:
        yield from _backups(store.file)
    yield from _corpora(store, folder / "cache")


def folders_of(store: Store, studies: Sequence[str]) -> set[str]:
    """Return the folder names of runs that belong to these studies and to no other one.

    Raises NotFoundError for an unknown study.
    """
    names = {store.study(name).name for name in studies}
    query = select(members.c.run_id, arms.c.study).join(arms, arms.c.id == members.c.arm_id)
    with store.begin() as connection:
        rows = connection.execute(query).all()
    shared = {row.run_id for row in rows if row.study not in names}
    return {directory_name(row.run_id) for row in rows if row.run_id not in shared}


def _initial_weights(store: Store) -> Sequence[str]:
    """Return the folders that runs take initial weights from; those of runs keep their weights."""
    folder = runs.c.recipe["train", "initial_weights"].as_string()
    with store.begin() as connection:
        found = connection.execute(select(folder).distinct()).scalars().all()
    return [each for each in found if each]


def _of_run(run: RunDirectory, state: RunState, *, keep_weights: bool) -> Iterator[Item]:
    yield from _leftovers(run.path, run.path)
    if run.checkpoints.is_dir() and not run.checkpoints.is_symlink():
        if state in STATES_WITHOUT_CHECKPOINT:
            yield Item(GarbageKind.CHECKPOINTS, run.checkpoints, size_of(run.checkpoints), run.path)
        else:
            for path in _matching(run.checkpoints, ".writing-*", ".removed-*"):
                yield Item(GarbageKind.LEFTOVERS, path, size_of(path), run.path)
    if state.is_finished and run.weights.exists() and not keep_weights:
        yield Item(GarbageKind.WEIGHTS, run.weights, size_of(run.weights), run.path)


def _leftovers(place: Path, folder: Path | None = None) -> Iterator[Item]:
    found = () if place.is_symlink() else _matching(place, ".*.tmp*", ".tmp*", ".ranks-*")
    for path in found:
        writer = UNFINISHED_FILE.search(path.name)
        if _is_abandoned(path, int(writer[1] or writer[2]) if writer else None):
            yield Item(GarbageKind.LEFTOVERS, path, size_of(path), folder)


def _is_abandoned(path: Path, pid: int | None) -> bool:
    """Return True if no process writes to the file any more."""
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
    """Yield all backups but the latest, each with its journal files."""
    found: dict[str, list[Path]] = {}
    name = glob.escape(file.name)
    for path in _matching(file.parent, f"{name}.v*-backup*", f"{name}.damaged-*"):
        found.setdefault(re.sub(r"-(wal|shm|journal)$", "", path.name), []).append(path)
    latest = max(found, key=lambda each: max(p.stat().st_ctime for p in found[each]), default="")
    for backup, paths in sorted(found.items()):
        for path in paths if backup != latest else ():
            yield Item(GarbageKind.BACKUPS, path, size_of(path))


def _corpora(store: Store, cache: Path) -> Iterator[Item]:
    tokenizer = runs.c.recipe["data", "tokenizer"].as_string()
    query = select(runs.c.corpus_hash, tokenizer).distinct()
    with store.begin() as connection:
        read = {tuple(row) for row in connection.execute(query)}
    entries = find_entries(cache)
    for known in [each.info for each in entries if each.info]:
        if (known.hash, known.tokenizer) in read:
            read |= {(hashed, known.tokenizer) for hashed in known.needs}
    for entry in entries:
        path, info = entry.folder, entry.info
        if info and (info.hash, info.tokenizer) in read:
            continue
        if entry.is_finished or (path / "lock").exists():
            yield Item(GarbageKind.CORPORA, path, entry.size, path)
        elif _is_abandoned(path, None):  # a corpus that was being copied from memory has no lock
            yield Item(GarbageKind.LEFTOVERS, path, entry.size)


def _matching(folder: Path, *patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in folder.glob(pattern))
