"""Open a SQLite file to read it, without writing to the file or to its folder."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import weakref
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from sweep.errors import StoreBusyError, StoreError
from trainer.files import FULL

BUSY_SECONDS = 30
"""Seconds to wait for another process that has locked the database."""
MAX_COPIES = 3
"""How often a file is copied that other processes write to meanwhile."""
BESIDE = ("", "-wal", "-journal")
"""Ends of the names of the files that hold the content of a database."""

State = tuple[int, ...]
"""Device, inode, time of the last change and size of a file; empty if there is none."""

Identity = tuple[int, ...]
"""Device and inode of a file; empty if there is none."""

_written: Counter[Identity] = Counter()
"""How many databases this process has open to write to a file."""
_read: weakref.WeakSet[ReadingConnection] = weakref.WeakSet()
"""The open connections of readers in this process."""


class ReadingConnection(sqlite3.Connection):
    """A connection that only reads."""

    unlocked: State = ()
    """State of the file when it was opened without locks; empty if it was opened with them."""
    file: Identity = ()

    def close(self) -> None:
        """Close it; a writer may open the file from now on."""
        super().close()
        _read.discard(self)


class Reader:
    """Opens a SQLite file that other processes may write to; leaves nothing behind.

    Each connection is opened in the way that suits the files which are there at that time:

    - No write-ahead log: no process has the file open. It is opened as `immutable`, without locks.
      `check_unchanged` tells whether a process wrote to it meanwhile.
    - The log and its index are there: it is opened read-only, with the locks of other readers. The
      index is not written to either.
    - A log without an index, an index that this user cannot open, or a journal that has to be
      rolled back: a private copy is read.

    A process reads a file in these ways only while it does not have it open to write to it: closing
    a file releases all POSIX locks that a process holds on it, and SQLite knows of no other
    descriptor than its own. So connections of a process that also writes to the file are opened in
    the way of writers, and `mark_written` raises if a connection of a reader is open.

    The URI parameters are described at https://www.sqlite.org/uri.html and
    https://www.sqlite.org/walformat.html#the_wal_index_file_format.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._upgraded: Path | None = None
        """A private copy with the present schema, which is read instead."""
        self._copied: Path | None = None
        """A private copy of the file."""
        self._copied_states: tuple[State, ...] = ()
        """State of the files that it was made of."""

    def connect(self) -> sqlite3.Connection:
        """Open the file. Raises StoreError if it cannot be read, StoreBusyError if not now."""
        if self._upgraded:
            return sqlite3.connect(self._upgraded, check_same_thread=False)
        identity = _state(self.file)[:2]
        if _written[identity]:
            connection = self._open("mode=rw", identity)
            connection.execute("PRAGMA query_only = ON")
            return connection
        before, log = _state(self.file), _state(_beside(self.file, "-wal"))
        index = _beside(self.file, "-shm")
        if not log or not (log[-1] or index.exists()):
            connection = self._open("mode=ro&immutable=1", identity)
            connection.unlocked = before
            if not _beside(self.file, "-journal").exists():
                return connection
            connection.close()
        elif not os.access(index, os.R_OK):
            return self._connect_to_copy()
        connection = self._open("mode=ro&readonly_shm=1", identity)
        if _can_read(connection):
            return connection
        connection.close()
        return self._connect_to_copy()

    def check_unchanged(self, connection: object) -> None:
        """Raise StoreBusyError if the file was written to while `connection` read it unlocked."""
        unlocked = getattr(connection, "unlocked", ())
        if unlocked and _state(self.file) != unlocked:
            raise StoreBusyError(
                f"{self.file} was written to while it was read; run the command again"
            )

    def make_private(self) -> None:
        """Read a copy from now on, which may be changed: an older schema is upgraded there."""
        folder = self._private_folder()
        try:
            with (
                closing(self.connect()) as origin,
                closing(sqlite3.connect(folder / "copy.db")) as copy,
            ):
                origin.backup(copy)
                self.check_unchanged(origin)
        except sqlite3.Error as error:
            raise StoreError(
                f"{self.file} cannot be copied to {folder} to be read ({error}); free some space "
                "there, or set TMPDIR to another folder"
            ) from error
        self._upgraded = folder / "copy.db"

    def _open(self, parameters: str, identity: Identity) -> ReadingConnection:
        uri = f"{self.file.absolute().as_uri()}?{parameters}"
        made = sqlite3.connect(
            uri,
            uri=True,
            timeout=BUSY_SECONDS,
            check_same_thread=False,
            factory=ReadingConnection,
        )
        made.file = identity
        if "mode=ro" in parameters:
            _read.add(made)
        return made

    def _connect_to_copy(self) -> sqlite3.Connection:
        for _ in range(MAX_COPIES):
            states = self._states()
            if self._copied is None or self._copied_states != states:
                self._copied, self._copied_states = self._copy(), states
            if states == self._states():
                return sqlite3.connect(self._copied, check_same_thread=False)
        raise StoreBusyError(
            f"{self.file} was written to while it was copied to be read; run the command again"
        )

    def _copy(self) -> Path:
        target = self._private_folder() / "copy.db"
        try:
            for end in BESIDE:
                if (source := _beside(self.file, end)).exists():
                    shutil.copyfile(source, _beside(target, end))
        except FileNotFoundError:  # removed meanwhile, which the caller notices
            pass
        except OSError as error:
            raise StoreError(
                f"{self.file} cannot be copied to {target.parent} to be read ({error.strerror}); "
                + (
                    "free some space there, or set TMPDIR to another folder"
                    if error.errno in FULL
                    else f"make it and {self.file.name}-wal readable for you"
                )
            ) from error
        return target

    def _private_folder(self) -> Path:
        folder = tempfile.mkdtemp(prefix="sweep-read-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    def _states(self) -> tuple[State, ...]:
        return tuple(_state(_beside(self.file, end)) for end in BESIDE)


def mark_written(file: Path) -> Identity:
    """Note that this process opens a file to write to it; returns what `unmark_written` takes.

    Raises RuntimeError while a reader's connection to it is open in this process: closing that
    would release the locks of the writer.
    """
    identity = _state(file)[:2]
    if any(connection.file == identity for connection in _read):
        raise RuntimeError(f"{file} is opened to write while this process reads it")
    _written[identity] += 1
    return identity


def unmark_written(identity: Identity) -> None:
    """Note that this process has closed a file that it wrote to."""
    _written[identity] -= 1


def is_writable(file: Path) -> bool:
    """True if this user may write to a file and to its folder."""
    return os.access(file, os.W_OK) and os.access(file.absolute().parent, os.W_OK)


def _can_read(connection: sqlite3.Connection) -> bool:
    """False if SQLite would have to write before it can read."""
    try:
        connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        code: Any = getattr(error, "sqlite_errorcode", 0)
        return (code & 0xFF) not in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
    return True


def _beside(file: Path, end: str) -> Path:
    return file.with_name(f"{file.name}{end}")


def _state(file: Path) -> State:
    try:
        found = file.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
