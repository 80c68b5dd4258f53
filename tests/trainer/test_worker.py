"""The worker as a real process: it trains a run directory on a node, and writes how that ended."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from trainer.processes.node import compare, find_facts, torch_version
from trainer.processes.worker import STOP, Order
from trainer.rundir.attempt_end import read_end, read_note
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit

LONG = {"train.tokens": 16 * 8 * 1_000_000}
"""A run that does not end while a test looks on."""


def worker(run: RunDirectory, **fields: object) -> subprocess.Popen[str]:
    order = Order(directory=run.path, attempt=1, threads=1, job="Slurm job 7", **fields)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.trainer.worker_process", order.model_dump_json()],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )


def outcome(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, output


def child_of(process: subprocess.Popen[str]) -> int:
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])


def test_a_worker_trains_a_run_and_writes_its_end_and_where_it_ran(
    make_run: Callable[..., RunDirectory],
) -> None:
    run = make_run("run")
    run.lock.announce(1)
    assert outcome(worker(run, torch=torch_version()))[0] == 0
    end, note = read_end(run, 1), read_note(run)
    assert end
    assert note
    assert (end.status, end.signal, end.noticed, end.problem) == (Exit.DONE, None, False, None)
    assert end.peak_bytes
    assert (note.attempt, note.job, note.host) == (1, "Slurm job 7", end.host)
    assert run.read_result()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, STOP, signal.SIGKILL])
def test_a_signal_stops_the_run_and_the_end_says_who_asked(
    make_run: Callable[..., RunDirectory],
    wait_for_training: Callable[[RunDirectory], None],
    number: signal.Signals,
) -> None:
    run = make_run("run", LONG)
    process = worker(run)
    wait_for_training(run)
    killed = number == signal.SIGKILL
    os.kill(child_of(process) if killed else process.pid, number)
    status, _ = outcome(process)
    end = read_end(run, 1)
    assert end
    assert status == (128 + signal.SIGKILL if killed else Exit.STOPPED)
    assert (end.status, end.signal) == ((None, 9) if killed else (Exit.STOPPED, None))
    assert end.noticed is (number == signal.SIGTERM)
    assert killed or list(run.checkpoints.iterdir())


@pytest.mark.slow
def test_a_killed_worker_takes_its_run_with_it(
    make_run: Callable[..., RunDirectory], wait_for_training: Callable[[RunDirectory], None]
) -> None:
    run = make_run("run", LONG)
    process = worker(run)
    wait_for_training(run)
    child = os.pidfd_open(child_of(process))
    process.kill()
    process.communicate()
    assert select.select([child], [], [], PATIENCE)[0]
    assert read_end(run, 1) is None


def test_a_node_without_the_folder_or_with_another_torch_trains_nothing_and_says_so(
    make_run: Callable[..., RunDirectory], tmp_path: Path
) -> None:
    status, said = outcome(worker(RunDirectory(tmp_path / "elsewhere")))
    assert status == Exit.REFUSED
    assert "does not see" in said
    assert "on a disk that all nodes share" in said
    run = make_run("run")
    assert outcome(worker(run, torch="1.0.0"))[0] == Exit.REFUSED
    end = read_end(run, 1)
    assert end
    assert f"has torch {torch_version()} and the scheduler 1.0.0" in str(end.problem)
    assert not run.log.exists()


def test_nodes_are_compared_by_torch_and_clock(tmp_path: Path) -> None:
    here = find_facts(tmp_path, with_torch=False)
    assert compare(here, here, needs_torch=True) is None
    late = here.model_copy(update={"ahead": here.ahead + 300, "host": "n1"})
    assert "are 5 minutes apart" in str(compare(late, here, needs_torch=True))
    bare = here.model_copy(update={"torch": None, "host": "n1"})
    assert "n1 has no torch for" in str(compare(bare, here, needs_torch=True))
    assert compare(bare, here, needs_torch=False) is None


def test_schedulers_that_look_at_the_clock_of_one_folder_at_the_same_time_do_not_meet(
    tmp_path: Path,
) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(find_facts, tmp_path, with_torch=False) for _ in range(200)]
        assert max(abs(each.result().ahead) for each in found) < 60
    assert list(tmp_path.iterdir()) == []
