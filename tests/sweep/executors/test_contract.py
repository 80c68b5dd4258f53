"""What every executor promises, each against the real thing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.executors.base import Ended, Executor
from tests.patience import PATIENCE
from tests.sweep.executors.conftest import CONTRACTED, Make, MakeRun
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("name", CONTRACTED)]
FOREVER = "touch begun; echo 'step 1 loss 2'; while :; do sleep 0.1; done"


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


def test_runs_succeed_fail_and_are_killed_and_each_end_is_reported_once(
    make_executor: Make, make_run: MakeRun
) -> None:
    executor = make_executor(slots=3)
    good = make_run("a", "echo 'step 1 loss 2'; echo 'step 2 loss 1.5'")
    bad = make_run("b", "echo no luck >&2; exit 3")
    killed = make_run("c", "kill -9 $$")
    begin(executor, good, bad, killed)
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


@pytest.mark.parametrize("now", [False, True])
def test_a_run_is_stopped_or_killed_if_the_executor_can_stop_any(
    make_executor: Make, make_run: MakeRun, tmp_path: Path, now: bool
) -> None:
    executor = make_executor()
    run = make_run("a", FOREVER if executor.can_stop else "echo loss 1")
    begin(executor, run)
    if executor.can_stop:
        wait_for((tmp_path / "begun").exists, executor)
    executor.stop(run.path, now=now)
    (end,) = ends(executor)
    assert (end.status, end.signal) in {(Exit.STOPPED, None), (None, 9)}
    assert now or end.signal is None
    assert run.read_result() is None


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
