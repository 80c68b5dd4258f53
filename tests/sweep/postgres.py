"""A real Postgres server for tests, in a temporary folder, behind a Unix socket."""

from __future__ import annotations

import contextlib
import getpass
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import URL, create_engine
from sqlalchemy.exc import OperationalError

from tests.patience import PATIENCE

OPTIONS = ("-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200")


def binaries() -> Path | None:
    """Return the folder of `initdb` and `postgres`; None if they are not installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    for folder in [*debian, *([Path(found).resolve().parent] if found else [])]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


def _user() -> str | None:
    """Return the user that runs the server, which refuses root; None for the present user."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


@contextlib.contextmanager
def server(folder: Path) -> Iterator[URL]:
    """Run a server without a port and without fsync; yields the URL of its own database."""
    user = _user()
    path = Path(
        tempfile.mkdtemp(prefix="sweep-pg-")
    )  # the path of a socket is limited to 107 bytes
    try:
        if user:
            shutil.chown(path, user)
        _initialise(folder, path, user)
        process = subprocess.Popen(
            [folder / "postgres", "-D", path / "data", "-k", path, *OPTIONS],
            user=user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        url = URL.create(
            "postgresql+psycopg",
            username=user or getpass.getuser(),
            database="postgres",
            query={"host": str(path)},
        )
        try:
            _await(url, process)
            yield url
        finally:
            process.send_signal(signal.SIGINT)  # end now, without waiting for clients
            process.wait(timeout=PATIENCE)
    finally:
        shutil.rmtree(path)


def _initialise(folder: Path, path: Path, user: str | None) -> None:
    options = ["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]
    subprocess.run(
        [folder / "initdb", "-D", path / "data", *options],
        user=user,
        check=True,
        capture_output=True,
    )


def _await(url: URL, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    engine = create_engine(url)
    while True:
        try:
            engine.connect().close()
        except OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            engine.dispose()
            return


@contextlib.contextmanager
def database(server_url: URL, name: str) -> Iterator[URL]:
    """Create an empty database, and drop it at the end."""
    engine = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield server_url.set(database=name)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        engine.dispose()
