"""What every executor promises, each against the real thing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.executors.base import Ended, Executor
from sweep.executors.registry import EXECUTORS
from tests.patience import PATIENCE
from tests.sweep.executors.conftest import Make, MakeRun
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("name", EXECUTORS)]
FOREVER = "echo begun >> begun; while :; do sleep 0.1; done"


def begin(executor: Executor, *runs: RunDirectory) -> None:
    for slot, run in zip(executor.slots, runs, strict=False):
        executor.start(run.path, slot, 1)


def ends(executor: Executor, number: int = 1) -> list[Ended]:
    """The next ends that an executor reports."""
    until, found = time.monotonic() + PATIENCE, list[Ended]()
    while len(found) < number:
        assert time.monotonic() < until
        found += executor.wait(0.05)
    return sorted(found, key=lambda each: each.directory)


def wait_for(condition: Callable[[], object], executor: Executor) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        assert executor.wait(0.05) == []


def test_each_end_of_a_run_is_reported_once_with_its_cause(
    make_executor: Make, make_run: MakeRun, tmp_path: Path
) -> None:
    executor = make_executor(slots=3)
    good = make_run("a", "echo 'step 1 loss 2'; echo 'step 2 loss 1.5'")
    bad = make_run("b", "echo no luck >&2; exit 3")
    dead = make_run("c", "kill -9 $$")
    begin(executor, good, bad, dead)
    first, second, third = ends(executor, 3)
    assert (first.directory, first.status, first.signal) == (good.path.resolve(), Exit.DONE, None)
    assert (second.status, second.signal, second.lost) == (Exit.FAILED, None, None)
    assert (third.status, third.signal, third.lost) == (None, 9, None)
    result = good.read_result()
    assert result
    assert result.metrics == {"loss": 1.5}
    assert [event.metrics["loss"] for event in good.read_events()] == [2.0, 1.5]
    assert bad.last_log_line() == "no luck (exit status 3)"
    assert executor.wait(0.05) == []
    assert executor.waiting(good.path) is None or executor.outlives_scheduler
    begin_and_stop(executor, make_run("d", FOREVER), make_run("e", FOREVER), tmp_path)


def begin_and_stop(
    executor: Executor, stopped: RunDirectory, killed: RunDirectory, folder: Path
) -> None:
    """Stop a run and kill another; where none that runs can be stopped, before they begin."""
    begin(executor, stopped, killed)
    if executor.can_stop:
        wait_for(lambda: (folder / "begun").exists() and len(both_begun(folder)) == 2, executor)
    executor.stop(stopped.path)
    executor.stop(killed.path, now=True)
    first, second = ends(executor, 2)
    assert (first.status, first.signal) == (Exit.STOPPED, None)
    assert (second.status, second.signal) in {(Exit.STOPPED, None), (None, 9)}
    assert stopped.read_result() is None
    assert killed.read_result() is None


def both_begun(folder: Path) -> list[str]:
    return (folder / "begun").read_text().splitlines()


def test_a_run_outlives_its_scheduler_and_is_adopted_or_ends_with_it(
    make_executor: Make, make_run: MakeRun, tmp_path: Path
) -> None:
    executor = make_executor()
    run = make_run(
        "a", "touch begun; while [ ! -e go ]; do sleep 0.1; done; echo loss 1 | tee -a times"
    )
    if not executor.can_stop:
        executor.start(run.path, executor.slots[0], 1)
        executor.close()
        assert executor.wait(0.01) == []
        return
    begin(executor, run)
    wait_for((tmp_path / "begun").exists, executor)
    if not executor.outlives_scheduler:
        executor.close()
        (tmp_path / "go").touch()
        time.sleep(0.5)
        assert run.read_result() is None
        return
    executor.release(run.path)
    executor.close()
    other = make_executor()
    assert other.adopts(run.path)
    other.start(run.path, other.slots[0], 2)
    (tmp_path / "go").touch()
    (end,) = ends(other)
    assert (end.status, end.lost) == (Exit.DONE, None)
    assert (tmp_path / "times").read_text() == "loss 1\n"
    assert not make_executor().adopts(run.path), "it has ended"
