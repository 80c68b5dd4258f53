"""Open or create the database, upgrade it, and run transactions."""

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
"""Seconds that a writer waits for another writer before it fails."""
MIN_FREE_BYTES = 2**16
"""Free bytes below which SQLite cannot even read: it needs room for the -shm file."""
WRITE_LOCK = 0x73776565
"""Advisory lock that writers take in Postgres, which has no lock on a whole database."""


class Database:
    """A connection to the database, in the present version of the schema.

    Raises StoreError if the database is missing, damaged, of a newer version, or not sweep's.
    """

    def __init__(self, url: URL, *, create: bool, exclusive: bool = False) -> None:
        """Open the database, and create or upgrade it if necessary.

        `exclusive` locks out all other processes, and then SQLite needs no free disk space.
        """
        self.url = url
        self.file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
        """The SQLite file; None for a server."""
        if self.file and not create and not self.file.exists():
            raise StoreError(f"{self.file} does not exist{_how_to_create(self.file.parent)}")
        if self.file:
            check(self.file, thorough=create)
        self.engine = self._connect(create, exclusive)
        self.upgraded = False
        """True if it had an older schema when it was opened."""
        with self._translate_errors():
            self._check_version(create)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Run a transaction, committed at the end of the block."""
        with self._translate_errors(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Run a transaction that holds the write lock, so that what it reads stays true."""
        with self.begin() as connection:
            if self.file:  # otherwise the driver takes the lock only at the first INSERT or UPDATE
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(select(func.pg_advisory_xact_lock(WRITE_LOCK)))
            yield connection

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Raise the driver's errors as StoreError, with the name of the database and a remedy."""
        try:
            yield
        except DBAPIError as error:
            reason = " ".join(str(error.orig).split())
            if (
                "I/O error" in reason
                and self.file
                and free_bytes(self.file.parent) < MIN_FREE_BYTES
            ):
                reason = "the disk is full"
            kind = StoreBusyError if is_temporary(reason) else StoreError
            raise kind(f"{self.where}: {reason}{_remedy(reason)}") from error
        except SQLAlchemyError as error:
            raise StoreError(f"{self.where}: {error}") from error

    @property
    def where(self) -> str:
        """Its path or URL, for messages; passwords are hidden."""
        return str(self.file) if self.file else self.url.render_as_string()

    def _connect(self, create: bool, exclusive: bool) -> Engine:
        if self.file and create:
            try:
                self.file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(
                    f"{self.file.parent} cannot be written ({error.strerror}); "
                    "choose another folder with --runs DIR"
                ) from error
        try:
            engine = create_engine(self.url)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise StoreError(
                f"{self.where}: {error}; Postgres needs its driver: pip install 'psycopg[binary]'"
            ) from error
        if self.file and exclusive:
            event.listen(engine, "connect", _lock_sqlite)  # before any other statement
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
                # Stored in the file. Set only here, because other files may not belong to sweep.
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        with self.write() as connection:
            # Two commands may start at once; the second finds that the tables exist.
            metadata.create_all(connection, checkfirst=True)
            if connection.execute(select(func.count()).select_from(versions)).scalar_one() == 0:
                connection.execute(insert(versions).values(version=SCHEMA_VERSION))


def _how_to_create(folder: Path) -> str:
    if next((folder / STUDIES).glob("*.json"), None):
        return "; `sweep rebuild` creates it from the run directories beside it"
    return " yet; `sweep run STUDY` trains a study and creates it"


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401  (DBAPI's own)
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _lock_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401  (DBAPI's own)
    """Keep the index of the write-ahead log in memory, instead of in the -shm file."""
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")


def is_temporary(reason: str) -> bool:
    """True for an error that may disappear although the database is left as it is."""
    return any(word in reason for word in ("locked", "disk is full", "No space left"))


def _remedy(reason: str) -> str:
    if "not a database" in reason or "malformed" in reason:
        return f"; {REBUILD}"
    if "readonly" in reason or "unable to open" in reason:
        return "; make its folder writable, or choose another with --runs DIR"
    if "connection failed" in reason or "connection to server" in reason:
        return "; start that server, or name another database with --db"
    if "locked" in reason:
        return "; another program keeps it locked: end that program and try again"
    if "full" in reason:
        return "; free some space on that disk (`sweep gc`) and run the command again"
    return ""
