"""A study on a disk that is cleared, or full, while it goes on."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.monkey import differences
from sweep.commands.gc import ON_REQUEST, GcRequest, gc
from sweep.workspace import Workspace
from tests.disks import fill_disk, small_disk
from tests.faults.terminal import HASTE, Terminal, end, send, steps, trainers, wait_for

Open = Callable[..., Terminal]


def free_all(terminal: Terminal) -> str:
    """What `sweep gc --weights --corpora --unknown` says; in this process, so that it is quick."""
    said = io.StringIO()
    request = GcRequest(kinds=frozenset(ON_REQUEST))
    assert gc(Workspace(terminal.folder / "runs"), request, Console(file=said, width=500)) == 0
    return said.getvalue()


def test_what_is_freed_while_a_study_runs_and_one_run_is_killed_changes_none_of_its_losses(
    open_terminal: Open, peace: Terminal
) -> None:
    terminal = open_terminal()
    run = terminal.run("baseline")
    command = terminal.start("run", "s.toml", "--slots", "1")
    wait_for(lambda: steps(run) >= 5, command)
    (pid,) = trainers(run)
    send(pid, signal.SIGSTOP)
    said = free_all(terminal)
    send(pid, signal.SIGKILL)
    while command.poll() is None:
        said += free_all(terminal)
        time.sleep(0.3)
    assert "3/3" in end(command)
    assert "weights of finished runs" in said
    assert differences(terminal.folder, peace.folder) == []
    outcomes = terminal.rows("SELECT outcome, COUNT(*) FROM attempts GROUP BY 1 ORDER BY 1")
    assert outcomes == [("done", 3), ("failed", 1)]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Six megabytes, where the study's runs are."""
    folder = tmp_path / "study" / "runs"
    folder.mkdir(parents=True)
    with small_disk(folder, 6 * 2**20) as made:
        yield made


def test_a_disk_that_is_full_for_checkpoints_result_and_database_makes_a_study_wait(
    disk: Path, open_terminal: Open, peace: Terminal
) -> None:
    terminal = open_terminal(HASTE + 'keep = "nothing"\n')
    run = terminal.run("baseline")
    command = terminal.start("run", "s.toml", "--slots", "1")
    wait_for(lambda: steps(run) >= 5, command)
    (pid,) = trainers(run)
    send(pid, signal.SIGSTOP)
    filler = fill_disk(disk, leave=0)
    send(pid, signal.SIGCONT)
    wait_for(lambda: not trainers(run), command)
    waits(command, terminal)
    assert not run.result.exists()
    filler.unlink()
    goes_on(command, terminal, peace)
    assert terminal.attempts(run)[-1] == ("done", None)


def test_a_result_that_the_database_has_no_room_for_is_recorded_when_there_is_some(
    disk: Path, open_terminal: Open, peace: Terminal
) -> None:
    terminal = open_terminal("")
    run = terminal.run("baseline")
    command = terminal.start("run", "s.toml", "--slots", "1")
    wait_for(lambda: steps(run) >= 5, command)
    command.send_signal(signal.SIGSTOP)
    wait_for(run.result.exists)
    filler = fill_disk(disk, leave=0)
    command.send_signal(signal.SIGCONT)
    waits(command, terminal)
    assert terminal.rows("SELECT COUNT(*) FROM attempts WHERE outcome IS NOT NULL") == [(0,)]
    filler.unlink()
    goes_on(command, terminal, peace)
    assert terminal.rows("SELECT outcome, COUNT(*) FROM attempts GROUP BY 1") == [("done", 3)]


def test_a_disk_that_is_too_small_is_tried_less_and_less_often_and_at_once_when_it_has_grown(
    disk: Path, open_terminal: Open
) -> None:
    terminal = open_terminal("", steps=5)
    wide = ("run", "s.toml", "--slots", "1", "--override", "model.width=512")
    command = terminal.start(*wide, sweep__obstacles__AGAIN_SECONDS=3600)
    stopped = "SELECT COUNT(*) FROM attempts WHERE outcome = 'stopped'"
    wait_for(lambda: any(disk.glob("*/attempts.jsonl")), command)
    wait_for(lambda: terminal.rows(stopped) == [(2,)], command)
    waits(command, terminal)
    subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
    said = end(command)
    assert "3/3" in said
    assert terminal.rows(stopped) == [(2,)]
    first, again = (text.splitlines()[0] for text in said.split("Waiting: ")[1:])
    assert "is full: free some space. " in first
    assert re.search(r"was full again: \d.\d MB of room are too little .* fewer --slots", again)


def waits(command: subprocess.Popen[str], terminal: Terminal) -> None:
    """For longer than it takes to notice; what is there is whole."""
    time.sleep(3)
    assert command.poll() is None
    assert terminal.rows("PRAGMA integrity_check") == [("ok",)]


def goes_on(command: subprocess.Popen[str], terminal: Terminal, peace: Terminal) -> None:
    """To the same losses as without any trouble."""
    said = end(command)
    assert "3/3" in said
    assert said.count("Waiting: ") == said.count("Resumed.") == 1
    assert "full" in said.split("Waiting: ")[1].splitlines()[0]
    assert "free some space" in said.split("Waiting: ")[1].splitlines()[0]
    assert differences(terminal.folder, peace.folder) == []
    assert terminal.rows("PRAGMA integrity_check") == [("ok",)]
    assert terminal.rows("SELECT COUNT(*) FROM attempts WHERE outcome = 'failed'") == [(0,)]
