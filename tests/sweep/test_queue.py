"""Every change of a run's state happens once, and only from the state and owner it expects."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import URL

from sweep.design.plan import Plan
from sweep.history.record import save_plan
from sweep.queue.owner import this_process
from sweep.store.store import Store
from sweep.workload.job import Job
from tests.patience import PATIENCE
from tests.sweep.jobs import make_gpt_job
from tests.sweep.one_by_one import OneByOne
from trainer.rundir.directory import Event, Result

CLAIMER = """
import sys
from pathlib import Path
from sweep.queue.owner import this_process
from sweep.queue.queue import Queue
from sweep.store.store import Store
from sweep.store.url import store_url

queue = Queue(Store(store_url(sys.argv[1], Path("runs"))), this_process())
ids = sorted(queue.store.states(sys.argv[2:]))
print("ready", flush=True)
sys.stdin.readline()
print(*[run_id for run_id in ids if queue.turn([], [run_id], 1).claimed], flush=True)
sys.stdin.read()
"""
"""Waits for a line, claims all given runs, prints the claimed ones, and waits again."""


def claimers(
    url: URL, folder: Path, ids: Sequence[str], number: int
) -> list[subprocess.Popen[str]]:
    """Start processes that are ready to claim runs."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMER, url.render_as_string(hide_password=False), *ids],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(number)
    ]
    for process in started:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    return started


def send_go(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


@pytest.mark.slow
def test_two_processes_that_claim_fifty_runs_get_each_of_them_once(
    tmp_path: Path, store: Store, make_job: Callable[[int], Job]
) -> None:
    jobs = [make_job(seed) for seed in range(50)]
    OneByOne(store, "none:1:1").enqueue(jobs)
    processes = claimers(store.url, tmp_path, [job.run_id for job in jobs], 2)
    for process in processes:
        send_go(process)
    claimed = [set(process.communicate(timeout=PATIENCE)[0].split()) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert not claimed[0] & claimed[1]
    assert claimed[0] | claimed[1] == {job.run_id for job in jobs}
    with store.begin() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM attempts").scalar_one() == 50


def test_commands_that_queue_the_same_runs_at_once_all_succeed(
    open_store: Callable[[], Store], plan: Plan
) -> None:
    jobs = {
        (arm.name, seed): make_gpt_job(spec.recipe)
        for arm in plan.arms
        for seed, spec in arm.specs.items()
    }
    stores, together = [open_store() for _ in range(4)], threading.Barrier(4)
    queued: list[int] = []

    def ask(store: Store) -> None:
        together.wait()
        queued.append(OneByOne(store, "me:1:1").enqueue(jobs.values()))
        save_plan(store, plan, Path("s.toml"), {key: job.run_id for key, job in jobs.items()})

    threads = [threading.Thread(target=ask, args=[store]) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(queued) == [0, 0, 0, 6]
    assert len(stores[0].study_runs("tiny")) == 6


def test_a_run_is_queued_once_however_often_commands_ask_for_it(
    queue: OneByOne, jobs: list[Job]
) -> None:
    assert queue.enqueue(jobs) == 0
    assert queue.enqueue([*jobs, *jobs]) == 0
    assert set(queue.store.states([job.run_id for job in jobs]).values()) == {"queued"}


def test_a_run_that_another_scheduler_holds_cannot_be_claimed(
    queue: OneByOne, other: OneByOne, jobs: list[Job]
) -> None:
    assert queue.claim(jobs[0].run_id)
    assert not other.claim(jobs[0].run_id)
    assert not queue.claim(jobs[0].run_id)
    assert queue.row(jobs[0].run_id).owner == "one:1:1"


def test_an_unknown_run_cannot_be_claimed(queue: OneByOne) -> None:
    assert not queue.claim("f" * 64)


def test_a_result_is_recorded_once(
    queue: OneByOne, jobs: list[Job], make_result: Callable[..., Result], events: list[Event]
) -> None:
    run_id = jobs[0].run_id
    assert queue.claim(run_id)
    assert queue.record(run_id, make_result(), events, None)
    assert not queue.record(run_id, make_result(test_loss=1.0), events, None)
    assert queue.row(run_id).test_loss == 2.5
    assert len(queue.store.curve(run_id)) == 2


def test_a_record_holds_the_outcome_the_curve_the_chunk_losses_and_the_attempt(
    queue: OneByOne, jobs: list[Job], make_result: Callable[..., Result], events: list[Event]
) -> None:
    told = {"skipped_steps": 3, "micro_batch": 4, "processes": 2, "notes": ["Something."]}
    run_id, result = jobs[1].run_id, make_result(**told)
    assert queue.claim(run_id)
    assert queue.record(run_id, result, events, 123_456)
    run = queue.row(run_id)
    for field, value in result.model_dump(exclude={"chunk_losses", "metrics"}).items():
        assert getattr(run, field) == value, field
    assert run.owner is None
    assert (run.init_seed, run.order_seed, run.dropout_seed) == (1, 1, 1)
    assert [
        Event.model_validate(vars(point) | {"run_id": None}, extra="ignore")
        for point in queue.store.curve(run_id)
    ] == events
    assert list(queue.store.chunk_losses(run_id)) == result.chunk_losses
    (attempt,) = queue.store.attempts(run_id)
    assert (attempt.number, attempt.outcome, attempt.peak_bytes) == (1, "done", 123_456)
    assert attempt.claimed <= attempt.ended <= time.time()


@pytest.mark.parametrize("state", ["done", "diverged"])
def test_a_finished_run_is_never_claimed_or_queued_again(
    queue: OneByOne,
    other: OneByOne,
    jobs: list[Job],
    make_result: Callable[..., Result],
    state: str,
) -> None:
    run_id = jobs[0].run_id
    assert queue.claim(run_id)
    assert queue.record(run_id, make_result(state=state), [], None)
    assert other.enqueue(jobs) == 0
    assert other.reclaim_lost() == 0
    assert not other.claim(run_id)
    assert queue.row(run_id).state == state


def test_a_released_run_can_be_claimed_by_another_scheduler(
    queue: OneByOne, other: OneByOne, jobs: list[Job]
) -> None:
    run_id = jobs[0].run_id
    assert queue.claim(run_id)
    assert queue.release(run_id, "stopped at the keyboard")
    assert other.claim(run_id)
    first, _ = queue.store.attempts(run_id)
    assert (first.outcome, first.reason) == ("stopped", "stopped at the keyboard")


def test_a_failed_run_cannot_be_claimed_until_a_command_queues_it_again(
    queue: OneByOne, other: OneByOne, jobs: list[Job]
) -> None:
    run_id = jobs[0].run_id
    assert queue.claim(run_id)
    assert queue.fail(run_id, "disk full", 77, retry=False)
    assert (queue.row(run_id).state, queue.row(run_id).cause) == ("failed", "disk full")
    assert not other.claim(run_id)
    assert other.enqueue(jobs) == 1
    assert queue.row(run_id).cause is None
    assert other.claim(run_id)
    first, _ = queue.store.attempts(run_id)
    assert (first.outcome, first.reason, first.peak_bytes) == ("failed", "disk full", 77)


def test_a_retried_run_is_queued_and_keeps_the_reasons_of_its_failures(
    queue: OneByOne, jobs: list[Job]
) -> None:
    run_id = jobs[0].run_id
    for number in (1, 2):
        assert queue.claim(run_id)
        assert queue.fail(run_id, f"reason {number}", None, retry=True)
        assert queue.row(run_id).state == "queued"
    assert [a.reason for a in queue.store.attempts(run_id)] == ["reason 1", "reason 2"]


def test_the_runs_of_a_killed_process_are_queued_again_and_no_others(
    tmp_path: Path, queue: OneByOne, jobs: list[Job]
) -> None:
    mine, theirs = jobs[0].run_id, {job.run_id for job in jobs[1:]}
    alive = OneByOne(queue.store, this_process())
    assert alive.claim(mine)
    (process,) = claimers(queue.store.url, tmp_path, sorted(theirs), 1)
    send_go(process)
    assert process.stdout
    assert set(process.stdout.readline().split()) == theirs
    assert queue.reclaim_lost() == 0
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert queue.reclaim_lost() == 3
    assert queue.reclaim_lost() == 0
    states = queue.store.states([job.run_id for job in jobs])
    assert states == {mine: "running"} | dict.fromkeys(theirs, "queued")
    (attempt,) = queue.store.attempts(jobs[1].run_id)
    assert (attempt.outcome, attempt.reason) == ("lost", "its scheduler ended")


def test_an_exact_rerun_is_not_counted_as_a_run_of_its_recipe(
    queue: OneByOne, jobs: list[Job], make_result: Callable[..., Result]
) -> None:
    first = jobs[0]
    again = make_gpt_job(first.spec.recipe, repeat_of=first.run_id)
    assert queue.enqueue([again]) == 1
    assert len(queue.store.family_runs(first.family)) == 4
    assert queue.store.rerun_of(jobs[1].run_id) is None
    assert queue.claim(again.run_id)
    assert queue.record(again.run_id, make_result(test_loss=1.5), [], None)
    rerun = queue.store.rerun_of(first.run_id)
    assert rerun is not None
    assert rerun.test_loss == 1.5
