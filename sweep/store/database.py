"""A database of sweep's: opened or made, brought up to date, and talked to in transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, insert, inspect, select
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

from sweep.errors import StoreBusyError, StoreError
from sweep.machine.disk import free_bytes
from sweep.store.health import REBUILD, check
from sweep.store.ledger import STUDIES
from sweep.store.migration import migrate
from sweep.store.schema import SCHEMA_VERSION, metadata, versions

BUSY_SECONDS = 30
"""How long a writer waits for another one before it gives up."""
LITTLE = 2**16
"""Free bytes with which SQLite cannot even begin to read: it keeps an index beside the file."""
WRITE_LOCK = 0x73776565
"""The number of the lock that writers take in Postgres, which has no lock of the whole database."""


class Database:
    """The engine behind the store.

    Raises StoreError where it is missing, damaged, of a newer version, or somebody else's.
    """

    def __init__(self, url: URL, *, create: bool, alone: bool = False) -> None:
        """`alone` lets nobody else open a file meanwhile, and needs no room beside it on the disk."""
        self.url = url
        self.file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
        """Where it is, if it is a file."""
        if self.file and not create and not self.file.exists():
            raise StoreError(f"{self.file} does not exist{_how_to_make(self.file.parent)}")
        if self.file:
            check(self.file, thorough=create)
        self.engine = self._connect(create, alone)
        self.upgraded = False
        """Whether it was of an older version when it was opened."""
        with self._sentences():
            self._check_version(create)

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction, committed at the end of the block."""
        with self._sentences(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction in which nothing read is changed by another writer before it ends."""
        with self.begin() as connection:
            if self.file:  # the driver begins a transaction only at the first INSERT or UPDATE
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(select(func.pg_advisory_xact_lock(WRITE_LOCK)))
            yield connection

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """Turn what the driver says into a sentence that names the database."""
        try:
            yield
        except DBAPIError as error:
            reason = " ".join(str(error.orig).split())
            if "I/O error" in reason and self.file and free_bytes(self.file.parent) < LITTLE:
                reason = "the disk is full"
            kind = StoreBusyError if is_passing(reason) else StoreError
            raise kind(f"{self.where}: {reason}{_remedy(reason)}") from error
        except SQLAlchemyError as error:
            raise StoreError(f"{self.where}: {error}") from error

    @property
    def where(self) -> str:
        """Its name, for people."""
        return str(self.file) if self.file else self.url.render_as_string()

    def _connect(self, create: bool, alone: bool) -> Engine:
        if self.file and create:
            try:
                self.file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(
                    f"{self.file.parent} cannot be written ({error.strerror}); "
                    "choose a folder that can with --runs DIR"
                ) from error
        try:
            engine = create_engine(self.url)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise StoreError(
                f"{self.where}: {error}; Postgres needs its driver: pip install 'psycopg[binary]'"
            ) from error
        if self.file and alone:
            event.listen(engine, "connect", _lock_sqlite)  # first
        if self.file:
            event.listen(engine, "connect", _prepare_sqlite)
        return engine

    def _check_version(self, create: bool) -> None:
        tables = inspect(self.engine).get_table_names()
        if not tables and create:
            self._create()
            return
        if versions.name not in tables:
            raise StoreError(
                f"{self.where} is a database, but not one of sweep's; name another with --db"
            )
        with self.engine.begin() as connection:
            found = connection.execute(select(func.max(versions.c.version))).scalar_one()
        if found > SCHEMA_VERSION:
            raise StoreError(
                f"{self.where} was written by a newer sweep (schema {found}, this one knows "
                f"{SCHEMA_VERSION}); update sweep, or name another database with --db"
            )
        if found < SCHEMA_VERSION:
            with self.write() as connection:
                migrate(connection, self.file)
            self.upgraded = True

    def _create(self) -> None:
        if self.file:
            with self.engine.connect() as connection:
                # The file remembers it. Not at every connection: it may be somebody else's file.
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        with self.write() as connection:
            # Two commands may start at once: whoever comes second finds the tables made.
            metadata.create_all(connection, checkfirst=True)
            if connection.execute(select(func.count()).select_from(versions)).scalar_one() == 0:
                connection.execute(insert(versions).values(version=SCHEMA_VERSION))


def _how_to_make(folder: Path) -> str:
    if next((folder / STUDIES).glob("*.json"), None):
        return "; `sweep rebuild` makes it from the run directories beside it"
    return " yet; `sweep run STUDY` trains a study and makes it"


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401  (DBAPI's own)
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _lock_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401  (DBAPI's own)
    """Have the index of the log in memory, instead of in a file that others see."""
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")


def is_passing(reason: str) -> bool:
    """Whether what the driver says may pass without anybody touching the database."""
    return any(word in reason for word in ("locked", "disk is full", "No space left"))


def _remedy(reason: str) -> str:
    if "not a database" in reason or "malformed" in reason:
        return f"; {REBUILD}"
    if "readonly" in reason or "unable to open" in reason:
        return "; make its folder writable, or choose another with --runs DIR"
    if "connection failed" in reason or "connection to server" in reason:
        return "; start that server, or name another database with --db"
    if "locked" in reason:
        return "; another program keeps it locked: end that one and try again"
    if "full" in reason:
        return "; free some space on that disk (`sweep gc`) and run the command again"
    return ""
