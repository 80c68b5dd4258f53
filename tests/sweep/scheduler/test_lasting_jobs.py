"""Jobs of a cluster outlive their scheduler: the next one adopts them; slots come and go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.executors.base import Ended
from sweep.progress.watcher import Stop
from sweep.queue import control
from sweep.store.store import Store
from sweep.workload.job import Job
from tests.sweep.rehearsal import Behaviour, Desk, Rehearsal, folder_of, states
from trainer.rundir.directory import RunDirectory


class Cluster:
    """Jobs by run directory, which no scheduler owns."""

    def __init__(self) -> None:
        self.jobs: dict[Path, int] = {}
        """The attempt that each was submitted with."""
        self.submitted: list[Path] = []
        self.waiting: str | None = "Resources"


class Remote(Rehearsal):
    """An executor whose jobs go on without it."""

    outlives_scheduler = True

    def __init__(self, behave: Behaviour, cluster: Cluster, slots: int = 2) -> None:
        super().__init__(behave, slots)
        self.cluster = cluster
        self.stopped: list[Path] = []
        self.trouble: str | None = None

    def adopts(self, directory: Path) -> bool:
        return directory in self.cluster.jobs

    def start(self, directory: Path, slot: str, attempt: int) -> None:
        if not self.adopts(directory):
            self.cluster.jobs[directory] = attempt
            self.cluster.submitted.append(directory)
        self._running[slot] = directory
        self.started.append(directory)

    def waiting(self, directory: Path) -> str | None:  # noqa: ARG002  (all wait alike)
        return self.cluster.waiting

    def hindrance(self) -> str | None:
        return self.trouble

    def wait(self, seconds: float) -> list[Ended]:
        ended = super().wait(seconds)
        for each in ended:
            self.cluster.jobs.pop(each.directory, None)
        return ended

    def stop(self, directory: Path, *, now: bool = False) -> None:
        self.stopped.append(directory)
        super().stop(directory, now=now)

    def release(self, directory: Path) -> None:
        self._running = {slot: at for slot, at in self._running.items() if at != directory}


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def remote(
    store: Store, tmp_path: Path, cluster: Cluster, succeed: Behaviour
) -> Callable[..., tuple[Desk, Remote]]:
    def make(owner: str = "me:1:1", slots: int = 2) -> tuple[Desk, Remote]:
        executor = Remote(succeed, cluster, slots)
        return Desk(store, executor, (tmp_path / "runs").resolve(), owner), executor

    return make


def latest_attempt(directory: Path) -> int:
    return max(int(word) for word in (directory / "lock").read_text().split())


@pytest.mark.parametrize("why", [Stop.HANGUP, Stop.KEYBOARD])
def test_jobs_go_on_after_a_hangup_and_are_adopted_and_end_with_a_ctrl_c(
    remote: Callable[..., tuple[Desk, Remote]], cluster: Cluster, jobs: list[Job], why: Stop
) -> None:
    desk, executor = remote()
    executor.endless = True

    def leave(seconds: float) -> list[Ended]:
        if executor.started:
            desk.scheduler.stop(why)
        return Remote.wait(executor, seconds)

    executor.wait = leave  # type: ignore[method-assign]
    summary = desk.scheduler.run(jobs)
    lasting = why is Stop.HANGUP
    assert summary.left_running == len(cluster.jobs) == (2 if lasting else 0)
    assert executor.stopped == ([] if lasting else executor.started)
    assert states(desk, jobs) == {"queued": 6}

    following, second = remote("me:2:2")
    assert following.scheduler.run(jobs).finished == 6
    first = folder_of(following, jobs[0])
    assert cluster.submitted.count(first) == (1 if lasting else 2)
    assert latest_attempt(first) == (1 if lasting else 2)
    assert [a.number for a in following.store.attempts(jobs[0].run_id)] == [1, 2]
    assert second.stopped == []


def test_a_job_that_another_scheduler_has_taken_over_is_not_stopped_unless_it_is_cancelled(
    remote: Callable[..., tuple[Desk, Remote]],
    cluster: Cluster,
    jobs: list[Job],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sweep.running.scheduler.CHECK_SECONDS", 0.0)
    desk, executor = remote()
    executor.endless = True
    taken, cancelled = jobs[:2]

    def lose(seconds: float) -> list[Ended]:
        if len(executor.started) == 2 and not executor.stopped:
            with desk.store.write() as connection:
                connection.exec_driver_sql(
                    "update runs set owner = 'other:1:1' where id = ?", (taken.run_id,)
                )
            control.cancel(desk.store, [cancelled.run_id])
        if executor.stopped:
            desk.scheduler.stop(Stop.HANGUP)
        return Remote.wait(executor, seconds)

    executor.wait = lose  # type: ignore[method-assign]
    desk.scheduler.run(jobs[:2])
    assert executor.stopped == [folder_of(desk, cancelled)]
    assert [*cluster.jobs] == [folder_of(desk, taken)]
    assert states(desk, jobs[:2]) == {"running": 1, "cancelled": 1}


def test_new_slots_are_used_and_no_run_starts_in_one_that_is_gone(
    remote: Callable[..., tuple[Desk, Remote]], jobs: list[Job]
) -> None:
    desk, executor = remote(slots=0)
    executor.trouble = "the probe job waits: Priority"
    used: list[str] = []

    def change(seconds: float) -> list[Ended]:
        used.extend(executor._running)
        executor.slots = ["late 1", "late 2"] if not used else ["late 2"]
        executor.trouble = None
        return Remote.wait(executor, seconds)

    executor.wait = change  # type: ignore[method-assign]
    assert desk.scheduler.run(jobs).finished == 6
    assert used.count("late 1") <= 2
    assert used[-3:] == ["late 2"] * 3


def test_a_job_that_waits_says_why_in_its_directory_and_is_not_hung(
    remote: Callable[..., tuple[Desk, Remote]],
    cluster: Cluster,
    jobs: list[Job],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sweep.running.scheduler.CHECK_SECONDS", 0.0)
    desk, executor = remote()
    desk.scheduler._attempts._settings = desk.scheduler._settings.jobs.model_copy(
        update={"stall_timeout": 1e-9, "timeout": 1e-9}
    )
    executor.endless = True
    seen: list[str | None] = []

    def look(seconds: float) -> list[Ended]:
        directory = RunDirectory(folder_of(desk, jobs[0]))
        seen.append(directory.read_waiting())
        if len(seen) == 4:
            executor.endless, cluster.waiting = False, None
        return Remote.wait(executor, seconds)

    executor.wait = look  # type: ignore[method-assign]
    assert desk.scheduler.run(jobs[:1]).finished == 1
    assert "Resources" in seen
    assert executor.stopped == []
    assert RunDirectory(folder_of(desk, jobs[0])).read_waiting() is None
