"""`sweep rebuild` makes the database from the run directories; `sweep backup` copies it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from rich.console import Console
from sqlalchemy import URL, func, select

from sweep.errors import StoreError, listed
from sweep.store.health import damage
from sweep.store.ledger import Ledger
from sweep.store.migration import copy_database
from sweep.store.reading import Reader
from sweep.store.schema import runs, studies
from sweep.store.store import Store
from sweep.terminal.console import say
from sweep.upkeep.rebuild import Rebuilt, fill
from sweep.workspace import Workspace
from trainer.words import counted

PROBLEMS_SHOWN = 20
"""Problems that are printed."""


def backup(workspace: Workspace, target: Path, console: Console) -> int:
    """Copy the database, also while it is written to; the exit status. Raises StoreError."""
    with workspace.open_to_read() as store:
        if store.file is None:
            raise StoreError(
                f"{store.where} is not a file: `pg_dump` writes a backup of it, and `psql` reads it back"
            )
        if target.exists():
            raise StoreError(f"{target} exists already; name a file that does not")
        copy_database(store.file, target, Reader(store.file))
    say(console, f"Written to {target} ({target.stat().st_size / 2**20:,.1f} MiB).")
    return 0


def rebuild(workspace: Workspace, console: Console) -> int:
    """Make the database from the run directories; the exit status.

    Raises StoreError if there is an intact database already, or nothing to make one from.
    """
    ledger = Ledger(workspace.folder)
    if not ledger.studies() and next(ledger.runs(), None) is None:
        raise StoreError(
            f"{workspace.folder} holds no run directories, so there is nothing to rebuild from; "
            "name the folder of runs with --runs DIR"
        )
    url = workspace.url
    file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
    found = _rebuild_file(ledger, url, file, console) if file else _refill(ledger, url)
    say(console, f"Rebuilt {file or url.render_as_string()} from {ledger.folder}: {_words(found)}.")
    for problem in found.problems[:PROBLEMS_SHOWN]:
        say(console, problem, "yellow")
    if len(found.problems) > PROBLEMS_SHOWN:
        say(console, f"… and {len(found.problems) - PROBLEMS_SHOWN} more like these.", "yellow")
    return 0


def _rebuild_file(ledger: Ledger, url: URL, file: Path, console: Console) -> Rebuilt:
    """Fill a temporary file, then put it in the place of the database."""
    _refuse_if_intact(file)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        with (
            Store(url.set(database=str(temporary)), create=True) as store,
            store.write() as connection,
        ):
            found = fill(connection, ledger)
        moved = _move_aside(file)
        if moved:
            say(console, f"The damaged database is {moved} now.")
        os.link(temporary, file)  # unlike a rename, it overwrites nothing
    except OSError as error:
        raise StoreError(f"{file} cannot be made ({error.strerror}); nothing was lost") from error
    finally:
        for leftover in (temporary, *_journal_files(temporary)):
            leftover.unlink(missing_ok=True)
    return found


def _refuse_if_intact(file: Path) -> None:
    if not file.exists() or damage(file, Reader(file), entirely=True) is not None:
        return
    url = URL.create("sqlite", database=str(file))
    if file.stat().st_size and not _is_empty(Store(url, read_only=True)):
        raise StoreError(
            f"{file} is intact: there is nothing to rebuild; to rebuild it all the same, move it "
            "elsewhere first"
        )


def _is_empty(store: Store) -> bool:
    with store, store.begin() as connection:
        counts = [select(func.count()).select_from(table) for table in (runs, studies)]
        return not any(connection.execute(count).scalar_one() for count in counts)


def _move_aside(file: Path) -> Path | None:
    """Rename a damaged database and its journal files; returns None if there is none."""
    moved = file.with_name(f"{file.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    there = [path for path in (file, *_journal_files(file)) if path.exists()]
    for path in there:
        path.rename(path.with_name(path.name.replace(file.name, moved.name, 1)))
    return moved if there else None


def _journal_files(file: Path) -> list[Path]:
    """Return the files that SQLite keeps beside a database."""
    return [file.with_name(file.name + end) for end in ("-wal", "-shm", "-journal")]


def _refill(ledger: Ledger, url: URL) -> Rebuilt:
    """Fill a server's database. Raises StoreError unless it is empty."""
    if not _is_empty(Store(url, create=True)):
        raise StoreError(
            f"{url.render_as_string()} holds runs already; name an empty database with --db"
        )
    with Store(url) as store, store.write() as connection:
        return fill(connection, ledger)


def _words(found: Rebuilt) -> str:
    counts = sorted(found.states.items(), key=lambda each: (-each[1], each[0]))
    states = [f"{count:,} {state}" for state, count in counts]
    total = sum(found.states.values())
    return f"{counted(found.studies, 'study', 'studies')} and {counted(total, 'run')} ({listed(states)})"
