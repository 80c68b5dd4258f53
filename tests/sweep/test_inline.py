"""The executor that trains in this process behaves as those that start one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sweep.executors.base import Executor
from sweep.executors.inline import InlineExecutor
from trainer.rundir.exits import Exit


def test_runs_end_in_the_order_in_which_they_were_started_with_what_the_trainer_returns(
    tmp_path: Path,
) -> None:
    trained: list[Path] = []

    def train(path: Path) -> int:
        trained.append(path)
        return Exit.FAILED if path.name == "bad" else Exit.DONE

    executor: Executor = InlineExecutor(train, slots=3)
    executor.prepare()
    for name, slot in zip(("one", "bad", "two"), executor.slots, strict=True):
        executor.start(tmp_path / name, slot, 1)
    assert trained == [], "nothing is trained before somebody waits"
    ended = executor.wait(60)
    assert [(end.directory.name, end.status, end.signal) for end in ended] == [
        ("one", Exit.DONE, None),
        ("bad", Exit.FAILED, None),
        ("two", Exit.DONE, None),
    ]
    assert executor.wait(0.01) == []


def test_a_wait_ends_after_its_time_with_one_run_at_least(tmp_path: Path) -> None:
    def train(_path: Path) -> int:
        time.sleep(0.02)
        return Exit.DONE

    executor = InlineExecutor(train, slots=2)
    for name, slot in zip("ab", executor.slots, strict=True):
        executor.start(tmp_path / name, slot, 1)
    assert [end.directory.name for end in executor.wait(0.001)] == ["a"]
    assert [end.directory.name for end in executor.wait(0.001)] == ["b"]


def test_a_run_that_has_not_begun_can_be_stopped(tmp_path: Path) -> None:
    executor = InlineExecutor(pytest.fail)
    executor.start(tmp_path, executor.slots[0], 1)
    executor.stop(tmp_path)
    assert [end.status for end in executor.wait(1)] == [Exit.STOPPED]


def test_what_the_trainer_raises_goes_to_whoever_waits(tmp_path: Path) -> None:
    def train(_path: Path) -> int:
        raise ValueError("not this one")

    executor = InlineExecutor(train)
    executor.start(tmp_path, executor.slots[0], 1)
    with pytest.raises(ValueError, match="not this one"):
        executor.wait(1)
