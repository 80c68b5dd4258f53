"""The inline executor behaves like those that start processes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sweep.executors.base import Executor
from sweep.executors.inline import InlineExecutor
from trainer.rundir.exits import Exit


def test_runs_end_in_order_with_the_statuses_that_the_trainer_returns(
    tmp_path: Path,
) -> None:
    trained: list[Path] = []

    def train(path: Path, _attempt: int) -> int:
        trained.append(path)
        return Exit.FAILED if path.name == "bad" else Exit.DONE

    executor: Executor = InlineExecutor(train, slots=3)
    executor.prepare()
    for name, slot in zip(("one", "bad", "two"), executor.slots, strict=True):
        executor.start(tmp_path / name, slot, 1)
    assert trained == [], "nothing is trained before `wait`"
    ended = executor.wait(60)
    assert [(end.directory.name, end.status, end.signal) for end in ended] == [
        ("one", Exit.DONE, None),
        ("bad", Exit.FAILED, None),
        ("two", Exit.DONE, None),
    ]
    assert executor.wait(0.01) == []


def test_a_wait_ends_in_time_but_trains_at_least_one_run(tmp_path: Path) -> None:
    def train(_path: Path, _attempt: int) -> int:
        time.sleep(0.02)
        return Exit.DONE

    executor = InlineExecutor(train, slots=2)
    for name, slot in zip("ab", executor.slots, strict=True):
        executor.start(tmp_path / name, slot, 1)
    assert [end.directory.name for end in executor.wait(0.001)] == ["a"]
    assert [end.directory.name for end in executor.wait(0.001)] == ["b"]


def test_a_run_that_has_not_started_can_be_stopped(tmp_path: Path) -> None:
    executor = InlineExecutor(pytest.fail)
    executor.start(tmp_path, executor.slots[0], 1)
    executor.stop(tmp_path)
    assert [end.status for end in executor.wait(1)] == [Exit.STOPPED]


def test_wait_raises_the_exceptions_of_the_trainer(tmp_path: Path) -> None:
    def train(_path: Path, _attempt: int) -> int:
        raise ValueError("not this one")

    executor = InlineExecutor(train)
    executor.start(tmp_path, executor.slots[0], 1)
    with pytest.raises(ValueError, match="not this one"):
        executor.wait(1)
