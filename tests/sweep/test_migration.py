"""Older databases are upgraded and damaged ones are recognised; no data is lost."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sweep.errors import StoreError
from sweep.queue.queue import Queue
from sweep.store.schema import SCHEMA_VERSION
from sweep.store.store import Store
from sweep.store.url import store_url
from sweep.workload.job import Job
from tests.patience import PATIENCE

SCHEMAS = Path(__file__).parent / "schemas"
OLDER = range(1, SCHEMA_VERSION)
RUN = (
    "INSERT INTO runs (id, recipe, corpus_hash, family, init_seed, order_seed, dropout_seed, "
    "state) VALUES ('old', '{}', 'c', 'f', 1, 1, 1, 'done')"
)


def make_older(file: Path, version: int) -> None:
    """Create a database of an older version, with one run."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript((SCHEMAS / f"{version}.sql").read_text())
        connection.execute("INSERT INTO schema_version VALUES (?)", [version])
        connection.execute(RUN)


def open_once(folder: Path) -> None:
    Store(store_url(None, folder)).engine.dispose()


def structure(file: Path) -> dict[str, object]:
    """Return tables with columns and keys, and indexes; the order does not matter."""
    with closing(sqlite3.connect(file)) as connection:
        found: dict[str, object] = {}
        for name, kind in connection.execute("SELECT name, type FROM sqlite_master").fetchall():
            pragmas = ("index_info",) if kind == "index" else ("table_info", "foreign_key_list")
            rows = [connection.execute(f"PRAGMA {each}({name})").fetchall() for each in pragmas]
            found[name] = [
                sorted(str(row[1 if kind == "table" else 2 :]) for row in each) for each in rows
            ]
        return found


def rows(file: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("version", OLDER)
def test_an_upgraded_database_has_the_tables_of_a_new_one_and_keeps_its_rows(
    tmp_path: Path, version: int
) -> None:
    make_older(tmp_path / "sweep.db", version)
    for _ in range(2):
        open_once(tmp_path)
        assert rows(tmp_path / "sweep.db", "SELECT id, state, notes FROM runs") == [
            ("old", "done", None)
        ]
        found = rows(tmp_path / "sweep.db", "SELECT MAX(version) FROM schema_version")
        assert found == [(SCHEMA_VERSION,)]
    Store(store_url(None, tmp_path / "new"), create=True).engine.dispose()
    assert structure(tmp_path / "sweep.db") == structure(tmp_path / "new" / "sweep.db")


@pytest.mark.parametrize("version", OLDER)
def test_an_upgrade_leaves_a_backup_beside_the_database(tmp_path: Path, version: int) -> None:
    file = tmp_path / "sweep.db"
    make_older(file, version)
    before = structure(file)
    open_once(tmp_path)
    backup = tmp_path / f"sweep.db.v{version}-backup"
    assert sorted(tmp_path.iterdir()) == [file, backup]
    assert structure(backup) == before
    assert rows(backup, "SELECT id FROM runs") == [("old",)]


def test_an_upgrade_that_fails_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "sweep.db"
    make_older(file, 1)
    with closing(sqlite3.connect(file)) as connection, connection:
        # Whoever gave the table this column, it is in the way of the last one that version 2 adds.
        connection.execute("ALTER TABLE curves ADD COLUMN skipped INTEGER")
    before = structure(file)
    with pytest.raises(StoreError, match="duplicate column name: skipped"):
        open_once(tmp_path)
    assert structure(file) == before
    assert rows(file, "SELECT version FROM schema_version") == [(1,)]


def test_a_database_that_cannot_be_backed_up_is_not_upgraded(tmp_path: Path) -> None:
    file = tmp_path / "sweep.db"
    make_older(file, 2)
    (tmp_path / "sweep.db.v2-backup").mkdir()
    before = structure(file)
    with pytest.raises(StoreError) as error:
        open_once(tmp_path)
    assert str(error.value).startswith(f"{file} cannot be copied to {file}.v2-backup (")
    assert str(error.value).endswith("; free some space there, or make the folder writable")
    assert structure(file) == before


@pytest.mark.slow
def test_commands_that_upgrade_one_database_at_once_all_succeed(tmp_path: Path) -> None:
    make_older(tmp_path / "sweep.db", 1)
    code = (
        "import sys, pathlib; from sweep.store.store import Store; from sweep.store.url import store_url; s = store_url(None, pathlib.Path('.'));"
        "print('ready', flush=True); sys.stdin.read(); Store(s)"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    for process in started:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
    for process in started:  # each goes on when its input ends
        process.communicate(timeout=PATIENCE)
    assert [process.returncode for process in started] == [0, 0, 0]
    found = rows(tmp_path / "sweep.db", "SELECT version FROM schema_version ORDER BY version")
    assert found == [(version,) for version in range(1, SCHEMA_VERSION + 1)]
    assert rows(tmp_path / "sweep.db.v1-backup", "SELECT version FROM schema_version") == [(1,)]


@pytest.fixture
def file(tmp_path: Path, make_job: Callable[[int], Job]) -> Path:
    """A database of a few hundred pages, in one file."""
    store = Store(store_url(None, tmp_path), create=True)
    Queue(store, "me:1:1").enqueue([make_job(seed) for seed in range(400)])
    store.engine.dispose()
    return tmp_path / "sweep.db"


def overwrite(content: bytes) -> bytes:
    """Overwrite the middle third of a file."""
    third = len(content) // 3
    return content[:third] + b"\x5a" * third + content[2 * third :]


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"\0" * 100 + content[100:],
        lambda content: content[: len(content) // 2],
        overwrite,
    ],
    ids=["header", "half", "middle"],
)
def test_a_damaged_database_is_recognised_when_it_is_opened_and_not_changed(
    file: Path, damage: Callable[[bytes], bytes], create: bool
) -> None:
    file.write_bytes(damage(file.read_bytes()))
    before = file.read_bytes()
    with pytest.raises(StoreError) as error:
        Store(store_url(None, file.parent), create=create)
    words = str(error.value)
    assert words.startswith(f"{file} is damaged, or not a database (")
    assert words.endswith(
        "); `sweep rebuild` creates it again from the run directories and keeps this file beside it; "
        "or name another with --db"
    )
    assert "\n" not in words
    assert file.read_bytes() == before


def test_damage_that_a_query_meets_gives_the_same_advice(file: Path) -> None:
    store = Store(store_url(None, file.parent))
    file.write_bytes(overwrite(file.read_bytes()))
    store.engine.dispose()  # what it remembers of the file
    with pytest.raises(StoreError, match="malformed; `sweep rebuild` creates it again"):
        store.family_runs("f" * 64)
    store.engine.dispose()
