"""A scheduler with each executor, for real: stumbling runs come to an end, two schedulers share work."""

from __future__ import annotations

import io
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from rich.console import Console

from sweep.executors.base import Executor
from sweep.executors.registry import EXECUTORS
from sweep.progress.terminal import PlainProgress
from sweep.queue.queue import Queue
from sweep.running.scheduler import Scheduler
from sweep.running.settings import Settings
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.study.jobs_section import Jobs
from sweep.workload.job import Job
from sweep.workload.workload import make_workload
from sweep.workspace import plan_of
from tests.patience import PATIENCE
from tests.sweep.executors.conftest import Make

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("name", EXECUTORS)]
STUMBLE = """\
case $1-$SWEEP_ATTEMPT-$2 in
    1-1-*) echo no luck; exit 3 ;;
    2-1-hangs) while :; do sleep 0.1; done ;;
esac
echo "$1" >> finished
echo "loss 0.$1"
"""
JOBS = Jobs(retries=20, retry_seconds=0.1, timeout=10, stop_seconds=5)


@pytest.fixture
def make_jobs(tmp_path: Path) -> Callable[..., list[Job]]:
    """Makes six jobs. The first fails once; the second hangs once, if that can be stopped."""

    def make(*, hangs: bool) -> list[Job]:
        (tmp_path / "train.sh").write_text(STUMBLE)
        content = {
            "name": "stumble",
            "trainer": {"command": ["sh", "train.sh", "{seed}", "{second}", "{lr}"]},
            "parameters": {"second": "hangs" if hangs else "ends", "lr": 0.1},
            "metrics": {"loss": {"source": {"regex": r"loss (?P<value>\S+)"}}},
            "interventions": {"high": {"because": "It is.", "set": {"lr": 0.2}}},
            "design": {"seeds": 6},
            "analysis": {"smallest_effect": 0.01},
        }
        workload = make_workload(plan_of(content, str(tmp_path / "s.toml")), tmp_path / "cache")
        return [job for (arm, _), job in workload.jobs().items() if arm == "baseline"]

    return make


def scheduler(store: Store, executor: Executor, folder: Path, owner: str) -> Scheduler:
    watcher = PlainProgress(Console(file=io.StringIO()), {}, 6)
    return Scheduler(Queue(store, owner), executor, folder, watcher, Settings(JOBS))


def run_all(schedulers: Sequence[Scheduler], jobs: Sequence[Job]) -> None:
    *others, last = schedulers
    threads = [threading.Thread(target=each.run, args=[jobs]) for each in others]
    for thread in threads:
        thread.start()
    last.run(jobs)
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_runs_that_fail_or_hang_are_tried_again_and_two_schedulers_train_each_once(
    make_executor: Make,
    open_store: Callable[[], Store],
    make_jobs: Callable[..., list[Job]],
    tmp_path: Path,
) -> None:
    first = make_executor()
    jobs = make_jobs(hangs=first.can_stop)
    executors = (
        [first, make_executor()] if first.can_stop else [first]
    )  # else: one thread has signals
    stores = [open_store() for _ in executors]
    Queue(stores[0], "me:0:0").enqueue(jobs)
    folder = (tmp_path / "runs").resolve()
    run_all(
        [
            scheduler(store, executor, folder, f"other-host:{number}:1")
            for number, (store, executor) in enumerate(zip(stores, executors, strict=True))
        ],
        jobs,
    )
    ids = [job.run_id for job in jobs]
    assert Counter(stores[0].states(ids).values()) == {RunState.DONE: 6}
    assert sorted((tmp_path / "finished").read_text().split()) == list("123456")
    reasons = {str(attempt.reason) for each in ids for attempt in stores[0].attempts(each)}
    assert "no luck (exit status 3)" in reasons
    assert any("jobs.timeout" in reason for reason in reasons) is first.can_stop
