"""The URL of the database."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from sweep.errors import StoreError


def store_url(database: str | None, folder: Path) -> URL:
    """Return the URL given with `--db`, or that of `sweep.db` in the folder of runs.

    Raises StoreError if it is not a URL of a SQLite file or a Postgres database.
    """
    if database is None:
        return URL.create("sqlite", database=str(folder / "sweep.db"))
    try:
        url = make_url(database)
    except ArgumentError as error:
        raise StoreError(
            f"--db {database!r} is not a database URL; write sqlite:///path/to/sweep.db"
        ) from error
    if url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}:
        raise StoreError(
            f"--db {database!r} is a database in memory, which keeps nothing; "
            "write sqlite:///path/to/sweep.db"
        )
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise StoreError(
            f"--db {database!r} is not a supported kind of database; write "
            "sqlite:///path/to/sweep.db or postgresql+psycopg://user@host/database"
        )
    if url.get_backend_name() == "sqlite" and (url.database or "").startswith("~"):
        home = os.path.expanduser(url.database or "")  # noqa: PTH111  (leaves an unknown user's name)
        return url.set(database=home)
    return url
