"""Upgrade a database of an older schema, after a backup."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from sqlalchemy import Column, Connection, Index, Table, func, insert, select
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

from sweep.errors import StoreError
from sweep.store.metrics import add_metrics
from sweep.store.reading import Reader
from sweep.store.schema import ADDED, DROPPED, SCHEMA_VERSION, versions
from trainer.files import sync

FILLED: Mapping[int, Callable[[Connection], None]] = {4: add_metrics}
"""By version: fills the tables that it added from those that were there."""


def migrate(connection: Connection, file: Path | None) -> None:
    """Add the tables, columns and indexes of newer versions, and drop the columns out of use.

    Runs in the caller's transaction, which holds the write lock. A SQLite `file` is first copied
    to `FILE.vN-backup`, where N is its version. Raises StoreError if it cannot be copied.
    """
    # The version is read here, under the lock: another command may have upgraded it already.
    found = connection.execute(select(func.max(versions.c.version))).scalar_one()
    if found < SCHEMA_VERSION and file:
        copy_database(file, file.with_name(f"{file.name}.v{found}-backup"))
    for version in range(found + 1, SCHEMA_VERSION + 1):
        for item in ADDED[version]:
            for statement in _statements(connection, item):
                connection.exec_driver_sql(statement)
        for table, column in DROPPED.get(version, ()):
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {column}")
        if version in FILLED:
            FILLED[version](connection)
        connection.execute(insert(versions).values(version=version))


def _statements(connection: Connection, item: Table | Column[object] | Index) -> Iterator[str]:
    dialect = connection.dialect
    if isinstance(item, Table):
        yield str(CreateTable(item).compile(dialect=dialect))
        yield from (str(CreateIndex(index).compile(dialect=dialect)) for index in item.indexes)
    elif isinstance(item, Index):
        yield str(CreateIndex(item).compile(dialect=dialect))
    else:
        specification = CreateColumn(item).compile(dialect=dialect)
        references = [
            f" REFERENCES {key.target_fullname.replace('.', '(')})" for key in item.foreign_keys
        ]
        yield f"ALTER TABLE {item.table.name} ADD COLUMN {specification}{''.join(references)}"


def copy_database(source: Path, target: Path, reader: Reader | None = None) -> None:
    """Copy a SQLite database that other processes may be writing to.

    `reader` opens the source if it is only read. `target` appears only when the copy is complete.
    Raises StoreError if it cannot be written.
    """
    aside = target.with_name(f".{target.name}.tmp")
    aside.unlink(missing_ok=True)
    try:
        # SQLite would ignore the umask.
        os.close(os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
        with (
            closing(reader.connect() if reader else sqlite3.connect(source)) as origin,
            closing(sqlite3.connect(aside)) as copy,
        ):
            origin.backup(copy)  # in one step: a backup in parts restarts at every commit
            if reader:
                reader.check_unchanged(origin)
            copy.execute("PRAGMA journal_mode = DELETE")  # a single file, without -wal and -shm
        sync(aside)
        aside.replace(target)
        sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"{source} cannot be copied to {target} ({error}); free some space there, or make the "
            "folder writable"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
