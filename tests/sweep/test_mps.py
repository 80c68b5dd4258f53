"""CUDA MPS is used where its daemon starts, by all schedulers of a machine, and nowhere else.

There is no GPU: the daemon is a script that keeps its books in files, as real processes.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sweep.executors.mps import CONTROL, PIPES, start_mps, with_mps
from sweep.executors.slots import Inventory, find_slots
from trainer.sharing import MPS

DAEMON = """\
#!/bin/sh
# Without -d it passes a command on to the daemon, and fails if there is none.
place=${CUDA_MPS_PIPE_DIRECTORY:-$THE_USERS_OWN}
if [ "$1" = -d ]; then
    echo "start $CUDA_VISIBLE_DEVICES" >> "$BOOKS"
    [ "$REFUSES" != "it runs" ] || touch "$place/alive"
    [ -z "$REFUSES" ] || exit 1
    touch "$place/alive"
    exit 0
fi
read -r command
[ -e "$place/alive" ] || exit 1
if [ "$command" = quit ]; then
    rm "$place/alive"
    echo quit >> "$BOOKS"
fi
"""
THERE = Inventory(["0", "1"], cores=4)
SHARED = find_slots(None, 0.5, THERE)


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which the daemon notes its starts and ends."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / CONTROL
    program.write_text(DAEMON)
    program.chmod(0o755)
    (tmp_path / "own").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("BOOKS", str(tmp_path / "books"))
    monkeypatch.setenv("THE_USERS_OWN", str(tmp_path / "own"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.delenv(PIPES, raising=False)
    return tmp_path / "books"


def test_the_last_scheduler_ends_the_daemon_that_the_first_one_started(
    books: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mps"
    first, second = start_mps(SHARED, folder), start_mps(SHARED, folder)
    assert first is not None
    assert second is not None
    assert books.read_text() == "start \n", "it starts once, and sees all GPUs"
    first.stop()
    assert (folder / "alive").exists(), "the second one uses it"
    second.stop()
    second.stop()
    assert books.read_text() == "start \nquit\n"


def test_a_daemon_that_a_killed_scheduler_left_is_used_and_ended(
    books: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mps"
    folder.mkdir()
    (folder / "alive").touch()
    daemon = start_mps(SHARED, folder)
    assert daemon is not None
    daemon.stop()
    assert books.read_text() == "quit\n"


def test_runs_that_share_a_gpu_get_what_they_need_to_use_it(books: Path, tmp_path: Path) -> None:
    daemon = start_mps(SHARED, tmp_path / "mps")
    assert daemon is not None
    for slot in with_mps(SHARED, daemon):
        assert slot.environment[MPS] == "1"
        assert slot.environment[PIPES] == str(tmp_path / "mps")
    assert with_mps(SHARED, None) == SHARED
    daemon.stop()
    assert books.exists()


def test_a_daemon_of_the_user_is_used_and_left_alone(books: Path, tmp_path: Path) -> None:
    (tmp_path / "own" / "alive").touch()
    daemon = start_mps(SHARED, tmp_path / "mps")
    assert daemon is not None
    assert daemon.environment == {MPS: "1"}
    daemon.stop()
    assert (tmp_path / "own" / "alive").exists()
    assert not books.exists()


def test_nothing_is_started_where_each_run_has_a_gpu(books: Path, tmp_path: Path) -> None:
    assert start_mps(find_slots(None, 1, THERE), tmp_path / "mps") is None
    assert start_mps(find_slots(None, 0.5, Inventory([], cores=2)), tmp_path / "mps") is None
    assert not books.exists()


def test_a_daemon_that_another_scheduler_starts_at_the_same_time_is_used(
    books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFUSES", "it runs")
    daemon = start_mps(SHARED, tmp_path / "mps")
    assert books.exists()
    assert daemon is not None
    daemon.stop()


def test_a_daemon_that_does_not_start_is_done_without(
    books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFUSES", "yes")
    assert start_mps(SHARED, tmp_path / "mps") is None
    assert books.read_text() == "start \n"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert start_mps(SHARED, tmp_path / "mps") is None, "there is no such program"
