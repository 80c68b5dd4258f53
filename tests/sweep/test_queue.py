"""Every change of a run's state happens once, and only from the state and owner it starts from."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from sweep.change import failed
from sweep.design import Plan
from sweep.leases import LEASE_SECONDS, RENEW_SECONDS
from sweep.owner import is_gone, this_process
from sweep.plans import save_plan
from sweep.queue import Job, Queue
from sweep.store import Store
from tests.sweep.conftest import HandClock
from trainer.rundir import Event, Result

CLAIMER = """
import sys
from pathlib import Path
from sweep.owner import this_process
from sweep.queue import Queue
from sweep.store import Store, store_url

queue = Queue(Store(store_url(sys.argv[1], Path("runs"))), this_process())
ids = sorted(queue.store.states(sys.argv[2:]))
print("ready", flush=True)
sys.stdin.readline()
print(*[run_id for run_id in ids if queue.claim(run_id)], flush=True)
sys.stdin.read()
"""
"""Claims all runs that it is given when it is told to, prints those it got, and waits."""


@pytest.fixture
def jobs(make_job: Callable[[int], Job]) -> list[Job]:
    return [make_job(seed) for seed in range(4)]


@pytest.fixture
def queue(store: Store, jobs: list[Job]) -> Queue:
    """A queue with four runs in it."""
    made = Queue(store, "one:1:1")
    assert made.enqueue(jobs) == 4
    return made


@pytest.fixture
def other(open_store: Callable[[], Store], clock: HandClock) -> Queue:
    """The same queue, as another scheduler sees it, by a clock that the test moves."""
    return Queue(open_store(), "other:2:2", clock)


def row(queue: Queue, run_id: str) -> dict[str, Any]:
    return dict(queue.store.find_run(run_id))


def wait_out(queue: Queue, clock: HandClock, seconds: float = LEASE_SECONDS + 1) -> int:
    """Look at the leases each second for some time; how many were found to have run out."""
    lost = 0
    for _ in range(round(seconds) + 1):
        lost += queue.reclaim_lost()
        clock.pass_seconds(1)
    return lost


def claimers(
    url: URL, folder: Path, ids: Sequence[str], number: int
) -> list[subprocess.Popen[str]]:
    """Processes that are ready to claim."""
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


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def test_two_processes_that_claim_fifty_runs_get_each_of_them_once(
    tmp_path: Path, store: Store, make_job: Callable[[int], Job]
) -> None:
    jobs = [make_job(seed) for seed in range(50)]
    Queue(store, "none:1:1").enqueue(jobs)
    processes = claimers(store.url, tmp_path, [job.run_id for job in jobs], 2)
    for process in processes:
        tell(process)
    claimed = [set(process.communicate(timeout=60)[0].split()) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert not claimed[0] & claimed[1]
    assert claimed[0] | claimed[1] == {job.run_id for job in jobs}
    with store.begin() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM attempts").scalar_one() == 50


def test_commands_that_ask_for_the_same_runs_at_once_all_succeed(
    open_store: Callable[[], Store], plan: Plan
) -> None:
    jobs = {
        (arm.name, seed): Job(recipe.fingerprint("c"), recipe, "c", "f" * 64)
        for arm in plan.arms
        for seed, recipe in arm.recipes.items()
    }
    stores, together = [open_store() for _ in range(4)], threading.Barrier(4)
    queued: list[int] = []

    def ask(store: Store) -> None:
        together.wait()
        queued.append(Queue(store, "me:1:1").enqueue(jobs.values()))
        save_plan(store, plan, Path("s.toml"), {key: job.run_id for key, job in jobs.items()})

    threads = [threading.Thread(target=ask, args=[store]) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(queued) == [0, 0, 0, 6]
    assert len(stores[0].study_runs("tiny")) == 6


def test_a_run_is_queued_once_however_often_it_is_asked_for(queue: Queue, jobs: list[Job]) -> None:
    assert queue.enqueue(jobs) == 0
    assert queue.enqueue([*jobs, *jobs]) == 0
    assert set(queue.store.states([job.run_id for job in jobs]).values()) == {"queued"}


def test_a_run_that_another_scheduler_holds_cannot_be_claimed(
    queue: Queue, other: Queue, jobs: list[Job]
) -> None:
    assert queue.claim(jobs[0].run_id)
    assert not other.claim(jobs[0].run_id)
    assert not queue.claim(jobs[0].run_id)
    assert row(queue, jobs[0].run_id)["owner"] == "one:1:1"


def test_a_run_that_nobody_asked_for_cannot_be_claimed(queue: Queue) -> None:
    assert not queue.claim("f" * 64)


def test_a_lease_that_nobody_renews_runs_out_and_can_be_taken_over(
    queue: Queue, other: Queue, jobs: list[Job], clock: HandClock
) -> None:
    run_id = jobs[0].run_id
    assert queue.claim(run_id)
    assert wait_out(other, clock, LEASE_SECONDS - 2) == 0
    assert not other.claim(run_id)
    assert wait_out(other, clock, 5) == 1
    claim = other.claim(run_id)
    assert claim
    assert claim.attempt == 2
    first, second = other.store.attempts(run_id)
    assert (first["outcome"], first["reason"]) == (
        "lost",
        "its scheduler has given no sign of life for 60 s",
    )
    assert (second["number"], second["ended"]) == (2, None)


def test_a_lease_that_is_renewed_does_not_run_out(
    queue: Queue, other: Queue, jobs: list[Job], clock: HandClock
) -> None:
    for job in jobs[:2]:
        assert queue.claim(job.run_id)
    for _ in range(10):
        assert wait_out(other, clock, RENEW_SECONDS) == 0
        queue.renew()
    assert not other.claim(jobs[0].run_id)


def test_renewing_extends_no_lease_of_another(
    queue: Queue, other: Queue, jobs: list[Job], clock: HandClock
) -> None:
    assert queue.claim(jobs[0].run_id)
    assert other.claim(jobs[1].run_id)
    for _ in range(10):
        wait_out(other, clock, RENEW_SECONDS)
        other.renew()
    assert row(queue, jobs[0].run_id)["state"] == "queued"
    assert row(queue, jobs[1].run_id)["owner"] == "other:2:2"


@pytest.mark.parametrize("hours", [-30, -1, 1, 30])
def test_a_clock_that_is_set_by_hours_ends_no_lease_and_keeps_none(
    queue: Queue, other: Queue, jobs: list[Job], clock: HandClock, hours: int
) -> None:
    assert queue.claim(jobs[0].run_id)
    assert wait_out(other, clock, 10) == 0
    clock.wall += hours * 3600
    assert wait_out(other, clock, LEASE_SECONDS - 15) == 0
    assert wait_out(other, clock, 10) == 1


def test_who_was_suspended_does_not_take_its_own_absence_for_that_of_others(
    queue: Queue, other: Queue, jobs: list[Job], clock: HandClock
) -> None:
    assert queue.claim(jobs[0].run_id)
    assert other.reclaim_lost() == 0
    clock.pass_seconds(24 * 3600)
    assert other.reclaim_lost() == 0


@pytest.mark.parametrize("hours", [-30, 0, 30])
def test_a_failed_run_is_tried_again_after_its_pause_whatever_happens_to_the_clock(
    other: Queue, jobs: list[Job], clock: HandClock, queue: Queue, hours: int
) -> None:
    run_id = jobs[0].run_id
    assert queue.claim(jobs[1].run_id)  # the four are known
    assert other.claim(run_id)
    assert other.turn([failed(run_id, "no luck", None, 8.0)]).kept == {run_id}
    clock.pass_seconds(7)
    assert not other.claim(run_id)
    clock.wall += hours * 3600
    clock.pass_seconds(2)
    claim = other.claim(run_id)
    assert claim
    assert claim.failures == 1


def test_the_pause_after_a_failure_holds_for_another_scheduler_as_well(
    queue: Queue, open_store: Callable[[], Store], jobs: list[Job], clock: HandClock
) -> None:
    run_id = jobs[0].run_id
    first, second = (Queue(open_store(), f"{name}:1:1", clock) for name in ("a", "b"))
    for number in (1, 2):
        claim = first.claim(run_id)
        assert claim
        assert claim.failures == number - 1
        first.turn([failed(run_id, "no luck", None, 8.0)])
        assert not second.claim(run_id)
        clock.pass_seconds(9)
    claim = second.claim(run_id)
    assert claim
    assert (claim.failures, claim.attempt) == (2, 3)
    assert queue.enqueue(jobs) == 0


def test_who_lost_its_lease_can_neither_record_nor_release_nor_fail_the_run(
    queue: Queue,
    other: Queue,
    jobs: list[Job],
    make_result: Callable[..., Result],
    clock: HandClock,
) -> None:
    run_id = jobs[0].run_id
    assert queue.claim(run_id)
    assert queue.lost() == set()
    assert wait_out(other, clock) == 1
    assert other.claim(run_id)
    assert queue.lost() == {run_id}
    assert not queue.record(run_id, make_result(test_loss=9.0), [], None)
    assert not queue.release(run_id, "stopped")
    assert not queue.fail(run_id, "disk full", None, retry=True)
    assert row(queue, run_id)["state"] == "running"
    assert row(queue, run_id)["owner"] == "other:2:2"
    assert other.record(run_id, make_result(), [], None)
    assert row(queue, run_id)["test_loss"] == 2.5
    assert list(queue.store.chunk_losses(run_id)) == [2.25, 2.75]


def test_who_lost_its_lease_and_took_it_again_cannot_use_the_old_one(
    queue: Queue,
    store: Store,
    other: Queue,
    jobs: list[Job],
    make_result: Callable[..., Result],
    clock: HandClock,
) -> None:
    run_id = jobs[0].run_id
    assert queue.claim(run_id)
    assert wait_out(other, clock) == 1
    again = Queue(store, queue.owner)  # one name, as of a scheduler with two threads
    assert again.claim(run_id)
    assert not queue.record(run_id, make_result(test_loss=9.0), [], None)
    assert again.record(run_id, make_result(), [], None)


def test_a_result_is_recorded_once(
    queue: Queue, jobs: list[Job], make_result: Callable[..., Result], events: list[Event]
) -> None:
    run_id = jobs[0].run_id
    assert queue.claim(run_id)
    assert queue.record(run_id, make_result(), events, None)
    assert not queue.record(run_id, make_result(test_loss=1.0), events, None)
    assert row(queue, run_id)["test_loss"] == 2.5
    assert len(queue.store.curve(run_id)) == 2


def test_a_record_holds_the_outcome_the_curve_the_chunk_losses_and_the_attempt(
    queue: Queue, jobs: list[Job], make_result: Callable[..., Result], events: list[Event]
) -> None:
    told = {"skipped_steps": 3, "micro_batch": 4, "processes": 2, "notes": ["Something."]}
    run_id, result = jobs[1].run_id, make_result(**told)
    assert queue.claim(run_id)
    assert queue.record(run_id, result, events, 123_456)
    run = row(queue, run_id)
    for field, value in result.model_dump(exclude={"chunk_losses"}).items():
        assert run[field] == value, field
    assert run["owner"] is None
    assert (run["init_seed"], run["order_seed"], run["dropout_seed"]) == (1, 1, 1)
    assert [
        Event.model_validate(dict(point) | {"run_id": None}, extra="ignore")
        for point in queue.store.curve(run_id)
    ] == events
    assert list(queue.store.chunk_losses(run_id)) == result.chunk_losses
    (attempt,) = queue.store.attempts(run_id)
    assert (attempt["number"], attempt["outcome"], attempt["peak_bytes"]) == (1, "done", 123_456)
    assert attempt["claimed"] <= attempt["ended"] <= time.time()


@pytest.mark.parametrize("state", ["done", "diverged"])
def test_a_run_with_an_outcome_is_never_claimed_or_queued_again(
    queue: Queue, other: Queue, jobs: list[Job], make_result: Callable[..., Result], state: str
) -> None:
    run_id = jobs[0].run_id
    assert queue.claim(run_id)
    assert queue.record(run_id, make_result(state=state), [], None)
    assert other.enqueue(jobs) == 0
    assert other.reclaim_lost() == 0
    assert not other.claim(run_id)
    assert row(queue, run_id)["state"] == state


def test_a_released_run_can_be_claimed_by_anybody(
    queue: Queue, other: Queue, jobs: list[Job]
) -> None:
    run_id = jobs[0].run_id
    assert queue.claim(run_id)
    assert queue.release(run_id, "stopped at the keyboard")
    assert other.claim(run_id)
    first, _ = queue.store.attempts(run_id)
    assert (first["outcome"], first["reason"]) == ("stopped", "stopped at the keyboard")


def test_a_failed_run_waits_until_it_is_asked_for_again(
    queue: Queue, other: Queue, jobs: list[Job]
) -> None:
    run_id = jobs[0].run_id
    assert queue.claim(run_id)
    assert queue.fail(run_id, "disk full", 77, retry=False)
    assert (row(queue, run_id)["state"], row(queue, run_id)["cause"]) == ("failed", "disk full")
    assert not other.claim(run_id)
    assert other.enqueue(jobs) == 1
    assert row(queue, run_id)["cause"] is None
    assert other.claim(run_id)
    first, _ = queue.store.attempts(run_id)
    assert (first["outcome"], first["reason"], first["peak_bytes"]) == ("failed", "disk full", 77)


def test_a_failure_that_is_retried_is_queued_and_remembered(queue: Queue, jobs: list[Job]) -> None:
    run_id = jobs[0].run_id
    for number in (1, 2):
        assert queue.claim(run_id)
        assert queue.fail(run_id, f"reason {number}", None, retry=True)
        assert row(queue, run_id)["state"] == "queued"
    assert [a["reason"] for a in queue.store.attempts(run_id)] == ["reason 1", "reason 2"]


def test_the_runs_of_a_killed_process_are_queued_again_and_no_others(
    tmp_path: Path, queue: Queue, jobs: list[Job]
) -> None:
    mine, theirs = jobs[0].run_id, {job.run_id for job in jobs[1:]}
    alive = Queue(queue.store, this_process())
    assert alive.claim(mine)
    (process,) = claimers(queue.store.url, tmp_path, sorted(theirs), 1)
    tell(process)
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
    assert (attempt["outcome"], attempt["reason"]) == ("lost", "its scheduler ended")


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    me = this_process()
    host, pid, started = me.rsplit(":", 2)
    assert (host, pid) == (socket.gethostname(), str(os.getpid()))
    assert not is_gone(me)
    assert is_gone(f"{host}:{pid}:{started}0")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_process_that_was_killed_is_gone_although_its_parent_has_not_noticed() -> None:
    code = "from sweep.owner import this_process; print(this_process(), flush=True); input()"
    command, pipe = [sys.executable, "-c", code], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        owner = process.stdout.readline().strip()
        assert not is_gone(owner)
        process.kill()
        deadline = time.monotonic() + 10
        while not is_gone(owner):
            assert time.monotonic() < deadline
        assert process.returncode is None, "nobody has waited for it"


def test_of_another_host_nothing_is_known() -> None:
    assert not is_gone("far-away.example:1:1")
    assert not is_gone(f"{socket.gethostname()}.example:{2**22 + 1}:1")


def test_an_exact_rerun_is_no_run_of_the_recipe(
    queue: Queue, jobs: list[Job], make_result: Callable[..., Result]
) -> None:
    first = jobs[0]
    again = Job(f"{first.run_id}-again", first.recipe, "c", first.family, repeat_of=first.run_id)
    assert queue.enqueue([again]) == 1
    assert len(queue.store.family_runs(first.family)) == 4
    assert queue.store.rerun_of(jobs[1].run_id) is None
    assert queue.claim(again.run_id)
    assert queue.record(again.run_id, make_result(test_loss=1.5), [], None)
    rerun = queue.store.rerun_of(first.run_id)
    assert rerun is not None
    assert rerun["test_loss"] == 1.5
