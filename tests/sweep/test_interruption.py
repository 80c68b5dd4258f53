"""What is left when a command is interrupted, killed, or loses what it starts runs with."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.executors.local import MAX_RESTARTS
from tests.forked_command import ForkedCommand
from tests.patience import PATIENCE

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


def trained(done: Done) -> int:
    """How many runs a command has trained, by the lines that it prints."""
    return sum("tokens/s" in line for line in done.stdout.splitlines())


def states(status: Done) -> dict[str, list[str]]:
    """The table of `sweep status`: by arm, how many runs are in each state."""
    rows = [line.split() for line in status.stdout.splitlines() if line.strip()]
    return {row[0]: row[1:] for row in rows}


def children_of(pid: int) -> set[int]:
    """The processes that one has started, by their ids."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    )
    parents = [tuple(map(int, line.split())) for line in listing.stdout.splitlines()]
    return {child for child, parent in parents if parent == pid}


def descendants(pid: int) -> set[int]:
    """The processes below one."""
    below = children_of(pid)
    return below.union(*(descendants(child) for child in below)) if below else below


def is_running(pid: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return bool(state) and not state.startswith("Z")


@pytest.fixture
def long_run(empty: Path, study_text: str, start: Callable[..., ForkedCommand]) -> ForkedCommand:
    """`sweep run` of a study of some seconds, stopped at its first finished run."""
    text = study_text.replace("tokens = 2048", "tokens = 24_000")
    (empty / "s.toml").write_text(text)
    process = start(empty, "run", "s.toml", "--db", "sqlite:///runs/sweep.db")
    for line in process.stdout:
        if line.startswith("1/6"):
            break
    return process


@pytest.mark.slow
def test_an_interrupt_keeps_what_is_finished_and_the_command_continues(
    long_run: ForkedCommand, empty: Path, sweep: Run
) -> None:
    children = descendants(long_run.pid)
    assert children
    os.killpg(long_run.pid, signal.SIGINT)  # as a terminal does
    out, err = long_run.communicate(timeout=PATIENCE)
    assert long_run.returncode == 130, err
    assert "Traceback" not in out + err
    last = out.splitlines()[-1]
    finished = int(last.split()[1])
    assert last == (
        f"Stopped: {finished} of 6 runs finished and are kept. "
        "To continue: sweep run s.toml --db sqlite:///runs/sweep.db"
    )
    assert 1 <= finished < 6
    deadline = time.monotonic() + PATIENCE
    while any(is_running(child) for child in children):
        assert time.monotonic() < deadline, "a child is left"
        time.sleep(0.05)
    assert states(sweep(empty, "status"))["all"] == [
        str(finished),
        "·",
        str(6 - finished),
        "·",
        "·",
    ]
    done = sweep(empty, "run", "s.toml")
    assert (done.returncode, trained(done)) == (0, 6 - finished), done.stderr
    assert f"{finished} done already" in done.stdout


@pytest.mark.slow
def test_a_killed_command_leaves_no_process_and_continues(
    long_run: ForkedCommand, empty: Path, sweep: Run, study_text: str
) -> None:
    children = descendants(long_run.pid)
    assert children
    long_run.kill()
    long_run.communicate()
    deadline = time.monotonic() + PATIENCE
    while any(is_running(child) for child in children):
        assert time.monotonic() < deadline, "a child is left"
        time.sleep(0.05)
    text = study_text.replace("tokens = 2048", "tokens = 24_000").replace("seeds = 2", "seeds = 1")
    (empty / "s.toml").write_text(text)
    done = sweep(empty, "run", "s.toml")
    assert done.returncode == 0, done.stderr
    assert trained(done) < 3
    assert states(sweep(empty, "status"))["all"] == ["3", "·", "·", "·", "·"]


@pytest.mark.slow
def test_a_command_whose_fork_server_is_killed_starts_another_and_spends_no_retry(
    long_run: ForkedCommand, empty: Path, sweep: Run
) -> None:
    (server,) = children_of(long_run.pid)
    os.kill(server, signal.SIGKILL)
    out, err = long_run.communicate(timeout=PATIENCE)
    assert long_run.returncode == 0, err
    reason = "the process that runs are forked from has ended (status -9)"
    assert 1 <= out.count(f"stopped, continues later: {reason}") <= 2
    assert states(sweep(empty, "status"))["all"] == ["6", "·", "·", "·", "·"]


@pytest.mark.slow
def test_a_command_whose_fork_servers_end_one_after_the_other_says_so_and_gives_its_runs_back(
    long_run: ForkedCommand, empty: Path, sweep: Run
) -> None:
    killed: set[int] = set()
    while long_run.poll() is None:
        for server in children_of(long_run.pid) - killed:
            os.kill(server, signal.SIGKILL)
            killed.add(server)
    _, err = long_run.communicate(timeout=PATIENCE)
    assert long_run.returncode == 1
    assert len(killed) == 1 + MAX_RESTARTS
    assert err.startswith(
        "sweep: the process that runs are forked from has ended (status -9), 4 times in a row; "
    )
    assert states(sweep(empty, "status"))["all"][1] == "·", "no run is left running"
