"""Check SQLite files for damage."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sweep.errors import StoreError
from sweep.store.reading import BUSY_SECONDS, Reader

SMALL_FILE = 64 * 2**20
"""Bytes that SQLite checks in a tenth of a second, at 0.7 GB/s."""
REBUILD = (
    "`sweep rebuild` creates it again from the run directories and keeps this file beside it; "
    "or name another with --db"
)
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def damage(file: Path, reader: Reader | None = None, *, entirely: bool = False) -> str | None:
    """Describe the damage to a database; None if it is intact or cannot be read now.

    `reader` opens the file if it is only read. `entirely` also compares indexes with their tables,
    and takes four times as long. Raises StoreBusyError if the file was changed meanwhile.
    """
    question = "PRAGMA integrity_check(1)" if entirely else "PRAGMA quick_check(1)"
    try:
        with closing(_connect(file, reader)) as connection:
            try:
                (found,) = connection.execute(question).fetchone()
            finally:
                if reader:
                    reader.check_unchanged(connection)
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the extended part
        return str(error) if code in _DAMAGE else None
    return None if found == "ok" else " ".join(str(found).split())


def _connect(file: Path, reader: Reader | None) -> sqlite3.Connection:
    return reader.connect() if reader else sqlite3.connect(file, timeout=BUSY_SECONDS)


def check(file: Path, reader: Reader | None, *, thorough: bool) -> None:
    """Raise StoreError if a file is not a database, or is damaged.

    A large file is checked only if `thorough`; otherwise the query that meets the damage raises.
    """
    if not file.is_file() or not (thorough or file.stat().st_size <= SMALL_FILE):
        return
    found = damage(file, reader)
    if found is not None:
        raise StoreError(f"{file} is damaged, or not a database ({found}); {REBUILD}")
