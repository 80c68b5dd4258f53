"""The database is plain SQLite; files that are not sweep's are refused."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import sweep
from sweep.errors import EmptyStoreError, StoreError
from sweep.store.schema import SCHEMA_VERSION
from sweep.store.store import Store
from sweep.store.unwritable import MAX_PATH_BYTES
from sweep.store.url import store_url
from sweep.workspace import Workspace


@pytest.fixture
def plain(filled: Store) -> Iterator[sqlite3.Connection]:
    """The same database through Python's own sqlite3."""
    assert filled.url.database
    with closing(sqlite3.connect(filled.url.database)) as connection:
        yield connection


def test_test_losses_can_be_read_with_plain_sqlite(plain: sqlite3.Connection) -> None:
    rows = plain.execute(
        "SELECT arms.name, members.seed, runs.state, runs.test_loss FROM runs "
        "JOIN members ON members.run_id = runs.id JOIN arms ON arms.id = members.arm_id "
        "WHERE arms.study = 'tiny' ORDER BY arms.position, members.seed"
    ).fetchall()
    assert rows == [
        ("baseline", 1, "done", 2.0),
        ("baseline", 2, "done", 3.0),
        ("no-dropout", 1, "done", 4.0),
        ("no-dropout", 2, "diverged", None),
        ("clip", 1, "failed", None),
        ("clip", 2, "queued", None),
    ]


def test_chunk_losses_curves_and_attempts_can_be_read_with_plain_sqlite(
    plain: sqlite3.Connection,
) -> None:
    chunks = "SELECT chunk, AVG(loss), COUNT(*) FROM chunk_losses GROUP BY chunk"
    assert plain.execute(chunks).fetchall() == [(0, 2.25, 3), (1, 2.75, 3)]
    curve = "SELECT step, loss, grad_norm FROM curves GROUP BY step"
    assert plain.execute(curve).fetchall() == [(1, 3.0, 1.5), (2, None, None)]
    outcomes = "SELECT outcome, COUNT(*), MAX(reason) FROM attempts GROUP BY outcome"
    assert plain.execute(outcomes).fetchall() == [
        ("diverged", 1, "loss is nan"),
        ("done", 3, None),
        ("failed", 1, "disk full"),
    ]


def test_recipe_and_provenance_can_be_queried_as_json(plain: sqlite3.Connection) -> None:
    query = (
        "SELECT DISTINCT json_extract(recipe, '$.model.width'), "
        "json_extract(provenance, '$.device') FROM runs WHERE state = 'done'"
    )
    assert plain.execute(query).fetchall() == [(16, "none")]


def test_results_are_synced_and_readers_do_not_wait_for_writers(store: Store) -> None:
    with store.begin() as connection:
        for pragma, value in {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}.items():
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value


def test_a_database_of_a_newer_version_is_refused_and_not_changed(tmp_path: Path) -> None:
    url = store_url(None, tmp_path)
    Store(url, create=True).engine.dispose()
    file = tmp_path / "sweep.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("UPDATE schema_version SET version = 99")
    before = file.read_bytes()
    for create in (True, False):
        with pytest.raises(StoreError) as error:
            Store(url, create=create)
        assert str(error.value) == (
            f"{file} was written by a newer sweep (schema 99, this one knows {SCHEMA_VERSION}); "
            "update sweep, or name another database with --db"
        )
    assert file.read_bytes() == before


def test_a_database_of_another_program_is_refused_and_not_changed(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE recipes (cake TEXT)")
    before = file.read_bytes()
    with pytest.raises(StoreError) as error:
        Store(store_url(f"sqlite:///{file}", tmp_path), create=True)
    assert str(error.value) == (
        f"{file} is a database, but not one of sweep's; name another with --db"
    )
    assert file.read_bytes() == before


def test_an_empty_database_is_taken_for_none_until_something_is_stored(tmp_path: Path) -> None:
    file = tmp_path / "empty.db"
    file.touch()
    workspace = Workspace(tmp_path, f"sqlite:///{file}")
    assert workspace.open_to_read_if_any() is None
    with pytest.raises(
        EmptyStoreError, match="is an empty database; `sweep run` or `sweep import`"
    ):
        workspace.open_to_read()


def test_a_file_that_is_not_a_database_is_refused_and_not_changed(tmp_path: Path) -> None:
    file = tmp_path / "sweep.db"
    file.write_text("not a database, but long enough to be taken for one\n" * 100)
    before = file.read_bytes()
    with pytest.raises(StoreError) as error:
        Store(store_url(None, tmp_path), create=True)
    assert str(error.value) == (
        f"{file} is damaged, or not a database (file is not a database); `sweep rebuild` "
        "creates it again from the run directories and keeps this file beside it; or name another "
        "with --db"
    )
    assert file.read_bytes() == before


def test_a_command_that_only_reads_does_not_create_a_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as error:
        Store(store_url(None, tmp_path / "runs"))
    assert str(error.value) == (
        f"{tmp_path}/runs/sweep.db does not exist yet; `sweep run STUDY` trains a study and creates it; "
        "for results in another folder, name that with --runs DIR"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("mine")
    with pytest.raises(StoreError) as error:
        Store(store_url(None, tmp_path / "runs"), create=True)
    assert str(error.value) == (
        f"{tmp_path}/runs cannot be written (File exists); choose another folder with --runs DIR"
    )
    assert (tmp_path / "runs").read_text() == "mine"


def test_a_link_to_nowhere_is_named_as_the_reason(tmp_path: Path) -> None:
    (tmp_path / "runs").symlink_to("nowhere")
    link = f"{tmp_path}/runs is a link to nowhere, which does not exist"
    for create in (True, False):
        with pytest.raises(StoreError) as error:
            Store(store_url(None, tmp_path / "runs"), create=create)
        assert link in str(error.value)


def test_a_path_that_is_too_long_for_sqlite_is_named_as_the_reason(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 240) / ("e" * 240)
    for read_only in (False, True):
        with pytest.raises(StoreError) as error:
            Store(store_url(None, folder), create=not read_only, read_only=read_only)
        length = len(str(folder / "sweep.db"))
        assert length >= MAX_PATH_BYTES
        assert f"its path has {length} bytes" in str(error.value)
        assert "shorter path with --runs DIR" in str(error.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match=r"cannot be written \(Permission denied\)"):
        Store(store_url(None, tmp_path / "runs"), create=True)


@pytest.mark.parametrize(
    ("database", "sentence"),
    [
        ("x.db", "--db 'x.db' is not a database URL; write sqlite:///path/to/sweep.db"),
        (
            "sqlite://",
            (
                "--db 'sqlite://' is a database in memory, which keeps nothing; "
                "write sqlite:///path/to/sweep.db"
            ),
        ),
        (
            "mysql://x",
            (
                "--db 'mysql://x' is not a supported kind of database; write "
                "sqlite:///path/to/sweep.db or postgresql+psycopg://user@host/database"
            ),
        ),
        (
            "postgresql+nosuch://x",
            (
                "postgresql+nosuch://x: Can't load plugin: sqlalchemy.dialects:postgresql.nosuch; "
                "Postgres needs its driver: pip install 'psycopg[binary]'"
            ),
        ),
    ],
)
def test_an_invalid_database_url_is_refused(tmp_path: Path, database: str, sentence: str) -> None:
    with pytest.raises(StoreError) as error:
        Store(store_url(database, tmp_path), create=True)
    assert str(error.value).startswith(sentence)


def test_a_notebook_finds_the_database_in_the_folder_of_runs(filled: Store, tmp_path: Path) -> None:
    frame = sweep.load("tiny", runs=tmp_path / "runs")
    assert list(frame["run"]) == [planned.run.id for planned in filled.study_runs("tiny")]


def test_the_error_for_a_server_that_does_not_answer_says_what_to_do(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    url = store_url(f"postgresql+psycopg://me:secret@/runs?host={tmp_path}", tmp_path)
    with pytest.raises(StoreError) as error:
        Store(url, create=True)
    words = str(error.value)
    assert words.startswith("postgresql+psycopg://me:***@/runs?host=%2F")
    assert words.endswith("; start that server, or name another database with --db")
    assert "secret" not in words
    assert "\n" not in words


@pytest.mark.parametrize(("umask", "mode"), [(0o002, 0o664), (0o022, 0o644), (0o077, 0o600)])
def test_the_database_follows_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        store = Store(store_url(None, tmp_path / "runs"), create=True)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "runs").iterdir()}
    store.close()
    assert modes == dict.fromkeys(["sweep.db", "sweep.db-wal", "sweep.db-shm"], mode)
