"""A study on a disk that is full, or cleaned up, while it is trained."""

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
from tests.faults.terminal import NO_PAUSES, Terminal, end, send, steps, trainers, wait_for
from tests.forked_command import ForkedCommand
from trainer.rundir.directory import RunDirectory

pytestmark = pytest.mark.slow

Open = Callable[..., Terminal]
STOPPED = "SELECT COUNT(*) FROM attempts WHERE outcome = 'stopped'"
ENOUGH_FOR_THE_DATABASE = 2**18
"""Bytes with which a study on a disk of six megabytes records what happens, but does not continue."""


def free_all(terminal: Terminal) -> str:
    """Run `sweep gc --weights --corpora --unknown` in this process, for speed; returns its output."""
    said = io.StringIO()
    request = GcRequest(kinds=frozenset(ON_REQUEST))
    assert gc(Workspace(terminal.folder / "runs"), request, Console(file=said, width=500)) == 0
    return said.getvalue()


def test_sweep_gc_during_training_changes_no_loss_even_if_a_run_is_killed(
    open_terminal: Open, undisturbed: Terminal
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
    assert differences(terminal.folder, undisturbed.folder) == []
    outcomes = terminal.rows("SELECT outcome, COUNT(*) FROM attempts GROUP BY 1 ORDER BY 1")
    assert outcomes == [("done", 3), ("failed", 1)]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of six megabytes for the folder of runs."""
    folder = tmp_path / "study" / "runs"
    folder.mkdir(parents=True)
    with small_disk(folder, 6 * 2**20) as made:
        yield made


def test_a_study_waits_when_its_disk_is_full_for_checkpoints_results_or_the_database(
    disk: Path, open_terminal: Open, undisturbed: Terminal
) -> None:
    terminal = open_terminal(NO_PAUSES + 'keep = "nothing"\n')
    run = terminal.run("baseline")
    command = terminal.start("run", "s.toml", "--slots", "1")
    wait_for(lambda: steps(run) >= 5, command)
    (pid,) = trainers(run)
    send(pid, signal.SIGSTOP)
    filler = fill_disk(disk, leave=0)
    send(pid, signal.SIGCONT)
    wait_for(lambda: not trainers(run), command)
    check_waits(command, terminal)
    assert not run.result.exists()
    filler.unlink()
    check_continues(command, terminal, undisturbed)
    assert terminal.attempts(run)[-1] == ("done", None)


def test_a_result_that_did_not_fit_into_the_database_is_recorded_later(
    disk: Path, open_terminal: Open, undisturbed: Terminal
) -> None:
    terminal = open_terminal("")
    run = terminal.run("baseline")
    command = terminal.start("run", "s.toml", "--slots", "1")
    wait_for(lambda: steps(run) >= 5, command)
    command.send_signal(signal.SIGSTOP)
    wait_for(run.result.exists)
    filler = fill_disk(disk, leave=0)
    command.send_signal(signal.SIGCONT)
    check_waits(command, terminal)
    assert terminal.rows("SELECT COUNT(*) FROM attempts WHERE outcome IS NOT NULL") == [(0,)]
    filler.unlink()
    check_continues(command, terminal, undisturbed)
    assert terminal.rows("SELECT outcome, COUNT(*) FROM attempts GROUP BY 1") == [("done", 3)]


def test_a_disk_that_stays_too_small_is_tried_less_and_less_often_and_at_once_after_it_has_grown(
    disk: Path, open_terminal: Open
) -> None:
    terminal = open_terminal("", steps=5)
    wide = ("run", "s.toml", "--slots", "1", "--override", "model.width=512")
    command = terminal.start(*wide, sweep__running__obstacles__FIRST_RETRY_SECONDS=3600)
    wait_for(lambda: trainers(*begun(disk)), command)
    (pid,) = trainers(*begun(disk))
    send(pid, signal.SIGSTOP)
    filler = fill_disk(disk, leave=ENOUGH_FOR_THE_DATABASE)  # less than the next try needs
    send(pid, signal.SIGCONT)
    wait_for(lambda: terminal.rows(STOPPED) == [(1,)], command)
    filler.unlink()
    wait_for(lambda: terminal.rows(STOPPED) == [(2,)], command)
    check_waits(command, terminal)
    subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
    said = end(command)
    assert "3/3" in said
    assert terminal.rows(STOPPED) == [(2,)]
    first, again = (text.splitlines()[0] for text in said.split("Waiting: ")[1:])
    assert "is full: free some space. " in first
    assert re.search(
        r"was full again: \d.\d MB of free space are too little .* fewer --slots", again
    )


def begun(disk: Path) -> list[RunDirectory]:
    """The run directories that have a lock."""
    return [RunDirectory(lock.parent) for lock in disk.glob("*/lock")]


def check_waits(command: ForkedCommand, terminal: Terminal) -> None:
    """Check for some seconds that the command waits and that the database is intact."""
    time.sleep(3)
    assert command.poll() is None
    assert terminal.rows("PRAGMA integrity_check") == [("ok",)]


def check_continues(command: ForkedCommand, terminal: Terminal, undisturbed: Terminal) -> None:
    """Check that the command continues and ends with the same losses as an undisturbed study."""
    said = end(command)
    assert "3/3" in said
    assert said.count("Waiting: ") == said.count("Resumed.") == 1
    assert "full" in said.split("Waiting: ")[1].splitlines()[0]
    assert "free some space" in said.split("Waiting: ")[1].splitlines()[0]
    assert differences(terminal.folder, undisturbed.folder) == []
    assert terminal.rows("PRAGMA integrity_check") == [("ok",)]
    assert terminal.rows("SELECT COUNT(*) FROM attempts WHERE outcome = 'failed'") == [(0,)]
