"""Every executor trains a run directory and reports its end; every metric is recorded."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from sweep.design.arms import make_plan
from sweep.executors.base import Ended
from sweep.executors.registry import EXECUTORS
from sweep.executors.settings import ExecutorSettings
from sweep.executors.slots import Slot
from sweep.metrics.registry import METRICS, PRIMARY
from sweep.study.executor_names import ExecutorName
from sweep.study.file import parse_study
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit
from trainer.rundir.request import Request


@pytest.mark.slow
@pytest.mark.parametrize("name", ["inline", "local"])  # the others: test_ray.py
def test_every_executor_trains_a_run_and_reports_its_end(
    name: ExecutorName, tmp_path: Path, content: dict[str, Any]
) -> None:
    plan = make_plan(parse_study(content, "s.toml"), "s.toml")
    directory = RunDirectory(tmp_path / "run")
    directory.write_request(Request(recipe=plan.arms[0].spec.recipe))
    directory.lock.announce(1)
    executor = EXECUTORS[name].make(
        ExecutorSettings(slots=[Slot("only", "cpu", 1)], folder=tmp_path)
    )
    try:
        executor.prepare()
        (slot,) = executor.slots
        executor.start(directory.path, slot, 1)
        ended: list[Ended] = []
        while not ended:
            ended = executor.wait(1.0)
            time.sleep(0.01)
    finally:
        executor.close()
    assert [(end.directory, end.status, end.signal) for end in ended] == [
        (directory.path.resolve(), Exit.DONE, None)
    ]
    result = directory.read_result()
    assert result
    assert result.state == "done"


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_words(name: str) -> None:
    metric = METRICS[name]
    assert metric.name == name
    assert metric.title
    assert metric.unit or metric.is_exact
    assert metric.direction.better in {"negative", "positive"}
    assert PRIMARY in METRICS.values()
