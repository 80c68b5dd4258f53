"""What the scheduler makes of the reports of Ray's driver, which is replaced by a list of reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sweep.executors.ray.executor import RayExecutor
from sweep.executors.ray.settings import RaySettings


class Driver:
    """Reports what a test tells it to."""

    def __init__(self, _command: object) -> None:
        self.reports: list[dict[str, Any]] = []

    def send(self, message: dict[str, Any]) -> None:
        """Nothing is done with it."""

    def receive(self, _seconds: float) -> list[dict[str, Any]]:
        given, self.reports = self.reports, []
        return given


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RayExecutor:
    monkeypatch.setattr("sweep.executors.ray.executor.Server", Driver)
    return RayExecutor(RaySettings(address="10.0.0.1:1", folder=str(tmp_path)))


def report(executor: RayExecutor, directory: Path, **fields: object) -> None:
    executor._server.reports.append(  # type: ignore[attr-defined]
        {"kind": "ended", "directory": str(directory), **fields}
    )


def test_the_end_of_a_released_run_is_not_that_of_its_next_attempt(
    executor: RayExecutor, tmp_path: Path
) -> None:
    executor.start(tmp_path, "ray 1", 1)
    executor.release(tmp_path)
    report(executor, tmp_path, status=1)
    assert executor.wait(0.01) == []
    executor.start(tmp_path, "ray 1", 2)
    assert executor.wait(0.01) == []
    report(executor, tmp_path, status=0)
    assert [end.status for end in executor.wait(0.01)] == [0]


def test_a_run_that_is_lost_again_and_again_has_failed(
    executor: RayExecutor, tmp_path: Path
) -> None:
    ends = []
    for attempt in range(1, 5):
        executor.start(tmp_path, "ray 1", attempt)
        report(executor, tmp_path, words="its process has died")
        ends += executor.wait(0.01)
    assert [end.lost for end in ends] == ["its process has died"] * 3 + [None]
    assert (ends[-1].status, ends[-1].signal) == (None, 9)
    assert "as 3 times before: the run may be the cause" in str(ends[-1].reason)
