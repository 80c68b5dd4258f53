"""A study whose runs are killed, and whose command is interrupted, ends as if neither had been."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.forked_command import ForkedCommand
from tests.patience import PATIENCE

pytestmark = pytest.mark.slow

Run = Callable[..., subprocess.CompletedProcess[str]]
STEPS = 150
CHECKPOINTS = "\n[jobs]\ncheckpoint_seconds = 0\nretries = 5\n"


@pytest.fixture
def text(study_text: str) -> str:
    """The study with one seed and runs of 150 steps."""
    long = study_text.replace("tokens = 2048", f"tokens = {STEPS * 8 * 16}")
    return long.replace("seeds = 2", "seeds = 1")


@pytest.fixture
def uninterrupted(tmp_path: Path, text: str, sweep: Run) -> Path:
    """The folder of the study as nobody disturbed it."""
    folder = tmp_path / "uninterrupted"
    folder.mkdir()
    (folder / "s.toml").write_text(text)
    done = sweep(folder, "run", "s.toml")
    assert done.returncode == 0, done.stderr
    return folder


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "runs" / "sweep.db")) as connection:
        return connection.execute(query).fetchall()


def children(pid: int) -> list[int]:
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    )
    pairs = [line.split() for line in listing.stdout.splitlines()]
    return [int(child) for child, parent in pairs if int(parent) == pid]


def steps_written(folder: Path) -> int:
    steps = 0
    for path in folder.glob("runs/*/events.jsonl"):
        with contextlib.suppress(FileNotFoundError):  # killed before its first checkpoint
            steps += len(path.read_bytes().splitlines())
    return steps


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def kill_a_run(command: ForkedCommand, folder: Path, after: int) -> None:
    """SIGKILL for one of the processes that train, once so many steps were written."""
    wait_for(lambda: steps_written(folder) >= after)
    [server] = children(command.pid)
    training = children(server)
    assert training, "no run is being trained any more"
    os.kill(training[0], signal.SIGKILL)


def test_killed_runs_and_an_interrupted_command_change_no_bit_of_a_study(
    empty: Path,
    text: str,
    sweep: Run,
    uninterrupted: Path,
    start: Callable[..., ForkedCommand],
) -> None:
    (empty / "s.toml").write_text(text + CHECKPOINTS)
    command = start(empty, "run", "s.toml")
    kill_a_run(command, empty, after=20)
    kill_a_run(command, empty, after=70)
    wait_for(lambda: steps_written(empty) >= 130)
    os.killpg(command.pid, signal.SIGINT)  # as a terminal does
    out, err = command.communicate(timeout=PATIENCE)
    assert command.returncode == 130, err
    assert out.count("killed by signal 9 (SIGKILL)") == 2
    stopped = list(empty.glob("runs/*/checkpoints/step-*"))
    assert stopped
    done = sweep(empty, "run", "s.toml")
    assert done.returncode == 0, done.stderr
    for query in (
        "SELECT id, state, test_loss, last_loss, steps, skipped_steps FROM runs ORDER BY id",
        "SELECT * FROM chunk_losses ORDER BY run_id, chunk",
        "SELECT run_id, step, loss, learning_rate, grad_norm FROM curves ORDER BY run_id, step",
    ):
        assert rows(empty, query) == rows(uninterrupted, query)
    steps = "SELECT run_id, COUNT(*), MIN(step), MAX(step) FROM curves GROUP BY run_id"
    assert [row[1:] for row in rows(empty, steps)] == [(STEPS, 1, STEPS)] * 3
    outcomes = [row[0] for row in rows(empty, "SELECT outcome FROM attempts ORDER BY ended")]
    assert outcomes.count("failed") == 2
    assert 1 <= outcomes.count("stopped") <= len(stopped)  # one may have waited for a slot
    assert outcomes.count("done") == 3
    assert list(empty.glob("runs/*/checkpoints")) == []
    assert list(empty.glob("runs/*/.*")) == []
