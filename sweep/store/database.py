"""Open or create the database, upgrade it, and run transactions."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    NullPool,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, OperationalError, SQLAlchemyError

from sweep.errors import EmptyStoreError, OutdatedStoreError, StoreBusyError, StoreError
from sweep.machine.disk import free_bytes
from sweep.machine.file_systems import network_file_system
from sweep.store.health import REBUILD, check
from sweep.store.ledger import STUDIES
from sweep.store.migration import migrate
from sweep.store.reading import BUSY_SECONDS, Reader, mark_written, unmark_written
from sweep.store.schema import SCHEMA_VERSION, metadata, versions
from sweep.store.unwritable import dangling_link, why_not_opened

MIN_FREE_BYTES = 2**16
"""Free bytes below which SQLite cannot even read: it needs room for the -shm file."""
WRITE_LOCK = 0x73776565
"""Advisory lock that writers take in Postgres, which has no lock on a whole database."""


class Database:
    """A connection to the database, in the present version of the schema.

    Raises StoreError if the database is missing, damaged, of a newer version, or not sweep's.
    """

    def __init__(self, url: URL, *, create: bool = False, read_only: bool = False) -> None:
        """Open the database, and create or upgrade it if necessary.

        `read_only` writes neither to a SQLite file nor to its folder: of a file with an older
        schema it reads an upgraded copy. A server with an older schema raises OutdatedStoreError.
        """
        self.url = url
        self.file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
        """The SQLite file; None for a server."""
        self.read_only = read_only
        self.network = network_file_system(self.file) if self.file else None
        """The network file system that its SQLite file lies on, such as NFS; None for a local disk."""
        if self.file and create:
            make_file(self.file)
        elif self.file and not self.file.exists():
            raise StoreError(f"{self.file.absolute()} does not exist{_how_to_create(self.file)}")
        self.reader = Reader(self.file) if self.file and read_only else None
        """Opens the file, if it is only read."""
        if self.file and not read_only:
            self._unmark = weakref.finalize(self, unmark_written, mark_written(self.file))
        if self.file:
            check(self.file, self.reader, thorough=create)
        self.engine = self._connect()
        self.upgraded = False
        """True if it had an older schema when it was opened."""
        try:
            with self._translate_errors():
                self._check_version(create)
                if self.file and not read_only:
                    self._use_log()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        if self.file and not self.read_only:
            self._unmark()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Run a transaction, committed at the end of the block."""
        with self._translate_errors(), self.engine.begin() as connection:
            try:
                yield connection
            finally:
                if self.reader:
                    self.reader.check_unchanged(connection.connection.dbapi_connection)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Run a transaction that holds the write lock, so that what it reads stays true."""
        if self.read_only:
            raise StoreError(f"{self.where} was opened read-only")
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
            raise kind(f"{self.where}: {reason}{self._remedy(reason)}") from error
        except SQLAlchemyError as error:
            raise StoreError(f"{self.where}: {error}") from error

    @property
    def where(self) -> str:
        """Its path or URL, for messages; passwords are hidden."""
        return str(self.file) if self.file else self.url.render_as_string()

    def _remedy(self, reason: str) -> str:
        """What to do about an error of the driver."""
        if self.file and ("readonly" in reason or "unable to open" in reason):
            return why_not_opened(self.file, read_only=self.read_only) or _remedy(reason)
        return _remedy(reason)

    def _connect(self) -> Engine:
        try:
            if self.reader:
                engine = create_engine(self.url, creator=self.reader.connect, poolclass=NullPool)
            else:
                engine = create_engine(self.url, execution_options=self._options)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise StoreError(
                f"{self.where}: {error}; Postgres needs its driver: pip install 'psycopg[binary]'"
            ) from error
        if self.file:
            event.listen(engine, "connect", _prepare_sqlite)
        return engine

    @property
    def _options(self) -> dict[str, bool]:
        return {"postgresql_readonly": True} if self.read_only and not self.file else {}

    def _check_version(self, create: bool) -> None:
        tables = inspect(self.engine).get_table_names()
        if not tables and create:
            self._create()
            return
        if not tables:
            raise EmptyStoreError(
                f"{self.where} is an empty database; `sweep run` or `sweep import` fills it"
            )
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
        if found < SCHEMA_VERSION and self.read_only:
            self._read_upgraded_copy(found)
        elif found < SCHEMA_VERSION:
            with self.write() as connection:
                migrate(connection, self.file)
            self.upgraded = True

    def _read_upgraded_copy(self, found: int) -> None:
        if self.reader is None:
            raise OutdatedStoreError(
                f"{self.where} was written by an older sweep (schema {found}); the next command that "
                "writes to it upgrades it"
            )
        self.reader.make_private()
        with self.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            migrate(connection, None)

    def _use_log(self) -> None:
        """Let readers and a writer not wait for each other; the mode is stored in the file.

        Only for databases of sweep, such as one that `sweep backup` wrote. Not on a network file
        system: the log needs memory that all processes share (https://sqlite.org/wal.html), and a
        rollback journal does not.
        """
        mode = "DELETE" if self.network else "WAL"
        with self.engine.connect() as connection, contextlib.suppress(OperationalError):
            connection.exec_driver_sql(f"PRAGMA journal_mode = {mode}")  # fails while it is locked

    def _create(self) -> None:
        if self.file:
            self._use_log()
        with self.write() as connection:
            # Two commands may start at once; the second finds that the tables exist.
            metadata.create_all(connection, checkfirst=True)
            if connection.execute(select(func.count()).select_from(versions)).scalar_one() == 0:
                connection.execute(insert(versions).values(version=SCHEMA_VERSION))


def make_file(file: Path) -> None:
    """Make the folder of a database, and an empty file with the permissions that the umask gives.

    SQLite would make it readable for all and writable for its owner, whatever the umask. Raises
    StoreError if the folder cannot be made.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = dangling_link(file.parent) or error.strerror
        raise StoreError(
            f"{file.parent} cannot be written ({reason}); choose another folder with --runs DIR"
        ) from error
    with contextlib.suppress(OSError):  # it exists, or SQLite says what is wrong
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))


def _how_to_create(file: Path) -> str:
    if link := dangling_link(file):
        return f": {link}"
    if next((file.parent / STUDIES).glob("*.json"), None):
        return "; `sweep rebuild` creates it from the run directories beside it"
    return (
        " yet; `sweep run STUDY` trains a study and creates it; for results in another folder, "
        "name that with --runs DIR"
    )


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401  (DBAPI's own)
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


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
