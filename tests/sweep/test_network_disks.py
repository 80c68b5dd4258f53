"""A SQLite database on a network file system: recognised, used with a journal, and said."""

from __future__ import annotations

import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from sweep.commands.training import open_to_train
from sweep.machine import file_systems
from sweep.machine.file_systems import FUSE, NETWORK, network_file_system, type_of
from sweep.store.store import Store
from sweep.store.url import store_url
from sweep.workspace import Workspace

EXT4, NFS = 0xEF53, 0x6969
Mount = Callable[[int], None]


@pytest.fixture
def mount(monkeypatch: pytest.MonkeyPatch) -> Mount:
    """Lets every path lie on a file system of some type."""
    return lambda kind: monkeypatch.setattr(file_systems, "type_of", lambda _path: kind)


def journal(store: Store) -> str:
    with store.begin() as connection:
        return str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())


@pytest.mark.skipif(sys.platform != "linux", reason="statfs(2) of Linux")
def test_the_system_tells_the_type_of_a_file_system() -> None:
    assert type_of(Path("/proc")) == 0x9FA0  # PROC_SUPER_MAGIC of linux/magic.h
    assert type_of(Path("/no/such/path")) == 0
    assert network_file_system(Path("/proc")) is None


@pytest.mark.parametrize(("kind", "name"), [*NETWORK.items(), (EXT4, None), (0, None)])
def test_network_file_systems_are_known_by_their_type(
    mount: Mount, tmp_path: Path, kind: int, name: str | None
) -> None:
    mount(kind)
    assert network_file_system(tmp_path / "not" / "there" / "yet") == name


@pytest.mark.parametrize(
    ("kind", "name"), [("fuse.sshfs", "sshfs"), ("fuse.gocryptfs", None), ("ext4", None)]
)
def test_a_file_system_in_user_space_is_known_by_its_mount(
    mount: Mount, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, name: str | None
) -> None:
    mount(FUSE)
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 0:5 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        f"23 22 0:50 / {tmp_path} rw,relatime - {kind} host:/data rw\n"
        f"24 22 0:51 / {tmp_path}2 rw,relatime - tmpfs tmpfs rw\n"
    )
    monkeypatch.setattr(
        file_systems, "mounted_as", lambda path, read=file_systems.mounted_as: read(path, mounts)
    )
    assert network_file_system(tmp_path / "sweep.db") == name


def test_a_database_there_has_a_journal_and_one_with_a_log_gets_one(
    mount: Mount, tmp_path: Path
) -> None:
    url = store_url(None, tmp_path)
    mount(EXT4)
    with Store(url, create=True) as local:
        assert (local.network, journal(local)) == (None, "wal")
    mount(NFS)
    with Store(url, create=True) as shared:
        assert (shared.network, journal(shared)) == ("NFS", "delete")
    mount(EXT4)
    with Store(url) as again:
        assert journal(again) == "wal"


def test_a_command_that_trains_says_which_file_system_why_and_what_to_type(
    mount: Mount, tmp_path: Path
) -> None:
    said = StringIO()
    mount(NFS)
    open_to_train(Workspace(tmp_path), Console(file=said, width=2000)).close()
    for words in (
        f"{tmp_path}/sweep.db is on NFS: SQLite relies on file locks",
        "only one command at a time",
        "--db sqlite:////",
        "--db postgresql+psycopg://",
    ):
        assert words in said.getvalue()
    mount(EXT4)
    said.truncate(0)
    open_to_train(Workspace(tmp_path), Console(file=said)).close()
    assert "NFS" not in said.getvalue()
