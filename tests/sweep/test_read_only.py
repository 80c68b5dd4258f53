"""Commands that only read write nothing, and work where nothing can be written."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import URL

import sweep
from sweep.errors import OutdatedStoreError, StoreBusyError, StoreError
from sweep.store.schema import SCHEMA_VERSION, versions
from sweep.store.store import Store
from sweep.store.url import store_url
from sweep.workspace import Workspace
from tests.other_users import as_user
from tests.sweep.many_commands import run_many
from tests.sweep.test_migration import make_older

READERS = [
    ["report"],
    ["status", "tiny"],
    ["list"],
    ["show", "baseline/1"],
    ["log", "baseline/1"],
    ["gc", "--dry-run"],
    ["data", "list"],
    ["backup", "{elsewhere}/backup.db"],
]


@pytest.fixture
def runs(filled: Store, tmp_path: Path) -> Path:
    """A folder of runs that no process has open."""
    filled.close()
    (tmp_path / "there").mkdir()
    return Path(shutil.move(tmp_path / "runs", tmp_path / "there" / "runs"))


def contents(folder: Path) -> Mapping[str, tuple[int, ...]]:
    """Inode, mode, size and time of every file below a folder, and of the folder itself."""
    found = {path: path.stat() for path in [folder, *folder.rglob("*")]}
    return {
        str(path): (each.st_ino, each.st_mode, each.st_size, each.st_mtime_ns)
        for path, each in found.items()
    }


def plain(_folder: Path) -> list[str]:
    return []


def other_user(folder: Path) -> list[str]:
    """The prefix of a command of another user, who may not write there."""
    for path in [*folder.rglob("*"), folder]:
        path.chmod(path.stat().st_mode & ~0o222)
    return as_user(2002, umask=0o022)


def read_only_mount(folder: Path) -> list[str]:
    """The prefix of a command that sees a folder on a read-only mount."""
    needs_mounts()
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    return ["unshare", "-m", "bash", "-c", script, str(folder)]


def needs_mounts() -> None:
    if os.geteuid() or not shutil.which("unshare"):
        pytest.skip("only root mounts")
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this container forbids mounts")


@pytest.mark.slow
@pytest.mark.parametrize("where", [plain, other_user, read_only_mount])
def test_a_command_that_only_reads_changes_nothing_and_needs_no_permission(
    runs: Path, where: object, environment: dict[str, str], tmp_path: Path
) -> None:
    assert callable(where)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o777)
    prefix, before = where(runs), contents(runs)
    commands = [[word.format(elsewhere=elsewhere) for word in words] for words in READERS]
    done = run_many(runs.parent, commands, prefix, environment)
    assert done.stderr == ""
    told = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("STATUS")]
    assert told == [[words[0], "0"] for words in READERS]
    assert "no-dropout" in done.stdout
    assert contents(runs) == before


def test_loading_leaves_no_file_behind(runs: Path) -> None:
    before = contents(runs)
    assert len(sweep.load("tiny", runs=runs)) == 6
    assert contents(runs) == before


CHANGE = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA wal_autocheckpoint = 0")
connection.execute("UPDATE runs SET test_loss = 2.5 WHERE test_loss = 2.0")
connection.commit()
os._exit(0)  # as if it were killed
"""


def change_and_die(file: Path) -> None:
    """Write to a database in another process, which leaves its log behind."""
    subprocess.run([sys.executable, "-c", CHANGE, str(file)], check=True)
    assert file.with_name(f"{file.name}-wal").stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize("index", [True, False], ids=["with its index", "without its index"])
def test_the_log_of_a_killed_process_is_read_and_left_as_it_is(runs: Path, index: bool) -> None:
    change_and_die(runs / "sweep.db")
    if not index:
        (runs / "sweep.db-shm").unlink()
    before = contents(runs)
    for _ in range(2):
        assert min(sweep.load("tiny", runs=runs).loss.dropna()) == 2.5
    assert contents(runs) == before


def test_a_reader_that_reads_a_copy_sees_what_was_written_since(runs: Path) -> None:
    change_and_die(runs / "sweep.db")
    (runs / "sweep.db-shm").unlink()
    with Workspace(runs).open_to_read() as store:
        assert store.study_losses("tiny")[0].test_loss == 2.5
        with closing(sqlite3.connect(runs / "sweep.db")) as connection:
            connection.execute("UPDATE runs SET test_loss = 2.75 WHERE test_loss = 2.5")
            connection.commit()
        assert store.study_losses("tiny")[0].test_loss == 2.75


@pytest.fixture
def writer(runs: Path) -> Iterator[sqlite3.Connection]:
    """A program that has changed the database, and has it open."""
    with closing(sqlite3.connect(runs / "sweep.db")) as connection:
        connection.execute("UPDATE runs SET test_loss = 2.5 WHERE test_loss = 2.0")
        connection.commit()
        yield connection


def test_a_reader_beside_a_writer_sees_its_changes_and_does_not_stop_it(
    runs: Path, writer: sqlite3.Connection
) -> None:
    names = {path.name for path in runs.iterdir()}
    with Workspace(runs).open_to_read() as store:
        first = store.study_losses("tiny")[0].test_loss
        writer.execute("UPDATE runs SET test_loss = 9 WHERE test_loss = 2.5")
        writer.commit()
        assert (first, store.study_losses("tiny")[0].test_loss) == (2.5, 9.0)
    assert {path.name for path in runs.iterdir()} == names


def test_a_reader_sees_a_writer_that_came_later(runs: Path) -> None:
    with Workspace(runs).open_to_read() as store:
        assert store.study_losses("tiny")[0].test_loss == 2.0
        with closing(sqlite3.connect(runs / "sweep.db")) as connection:
            connection.execute("UPDATE runs SET test_loss = 2.5 WHERE test_loss = 2.0")
            connection.commit()
            assert store.study_losses("tiny")[0].test_loss == 2.5
        assert store.study_losses("tiny")[0].test_loss == 2.5


def read_while_another_writes(store: Store, file: Path) -> None:
    with store.begin(), closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE runs SET test_loss = 2.5")
        connection.commit()


def test_what_was_read_while_the_file_changed_is_not_used(runs: Path) -> None:
    with Workspace(runs).open_to_read() as store:
        with pytest.raises(StoreBusyError, match="written to while it was read; run the command"):
            read_while_another_writes(store, runs / "sweep.db")
        assert store.study_losses("tiny")[0].test_loss == 2.5


OPEN_AND_CLOSE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT COUNT(*) FROM runs").fetchone()
connection.close()  # checkpoints the log and removes it, unless another process has the file open
"""


@pytest.mark.slow
def test_a_reader_leaves_the_locks_of_a_writer_in_its_process(runs: Path) -> None:
    with Workspace(runs).open() as writing:
        with writing.write() as connection:
            connection.exec_driver_sql("UPDATE runs SET test_loss = 2.5 WHERE test_loss = 2.0")
        assert len(sweep.load("tiny", runs=runs)) == 6
        with Workspace(runs).open_to_read() as reading:
            assert reading.study_losses("tiny")[0].test_loss == 2.5
        log = (runs / "sweep.db-wal").stat()
        subprocess.run([sys.executable, "-c", OPEN_AND_CLOSE, runs / "sweep.db"], check=True)
        assert os.path.samestat(log, (runs / "sweep.db-wal").stat())
        with writing.write() as connection:
            connection.exec_driver_sql("UPDATE runs SET test_loss = 2.75 WHERE test_loss = 2.5")
    assert not (runs / "sweep.db-wal").exists()
    assert min(sweep.load("tiny", runs=runs).loss.dropna()) == 2.75


def test_a_writer_cannot_be_opened_while_its_process_reads(runs: Path) -> None:
    with Workspace(runs).open_to_read() as store:
        with store.begin(), pytest.raises(RuntimeError, match="while this process reads it"):
            Workspace(runs).open()
        Workspace(runs).open().close()


def test_nothing_can_be_written_through_a_reader(runs: Path) -> None:
    with Workspace(runs).open_to_read() as store:
        with pytest.raises(StoreError, match="was opened read-only"), store.write():
            pass
        for other in (None, Workspace(runs).open()):  # the reader opens as a writer beside one
            with pytest.raises(StoreError, match="readonly"), store.begin() as connection:
                connection.exec_driver_sql("UPDATE runs SET test_loss = 1")
            if other:
                other.close()


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_an_older_database_is_read_as_an_upgraded_copy_and_left_as_it_is(
    tmp_path: Path, version: int
) -> None:
    make_older(tmp_path / "sweep.db", version)
    before = contents(tmp_path)
    with Store(store_url(None, tmp_path), read_only=True) as store:
        (run,) = store.family_runs("f")
        assert (run.id, store.upgraded) == ("old", False)
    assert contents(tmp_path) == before


@pytest.mark.slow
def test_a_backup_is_read_as_it_is_and_gets_a_log_when_it_is_written_to(
    runs: Path,
) -> None:
    with closing(sqlite3.connect(runs / "sweep.db")) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    before = contents(runs)
    assert len(sweep.load("tiny", runs=runs)) == 6
    assert contents(runs) == before
    with Workspace(runs).open() as store:
        store.studies()
        assert (runs / "sweep.db-wal").exists()


def test_a_journal_that_has_to_be_rolled_back_is_rolled_back_in_a_copy(runs: Path) -> None:
    file = runs / "sweep.db"
    script = CHANGE.replace("wal_autocheckpoint = 0", "journal_mode = DELETE").replace(
        "connection.commit()", "connection.execute('PRAGMA cache_spill = 1')"
    )
    script = script.replace(
        "os._exit(0)",
        "connection.execute('PRAGMA cache_size = 1'); "
        "connection.execute('UPDATE runs SET cause = hex(zeroblob(100000))'); os._exit(0)",
    )
    subprocess.run([sys.executable, "-c", script, str(file)], check=True)
    assert (runs / "sweep.db-journal").stat().st_size
    before = contents(runs)
    assert min(sweep.load("tiny", runs=runs).loss.dropna()) == 2.0
    assert contents(runs) == before


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_a_servers_database_is_read_in_read_only_transactions(url: URL, filled: Store) -> None:
    with Store(url, read_only=True) as store:
        assert len(store.study_losses("tiny")) == 6
        with pytest.raises(StoreError, match="read-only transaction"), store.begin() as connection:
            connection.exec_driver_sql("DELETE FROM members")
    with filled.write() as connection:
        connection.execute(versions.update().values(version=SCHEMA_VERSION - 1))
    with pytest.raises(OutdatedStoreError, match=r"the next command that writes to it upgrades it"):
        Store(url, read_only=True)
