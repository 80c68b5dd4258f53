"""Leases that are not renewed expire, without comparing clocks; a lost lease changes nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from sweep.queue.changes import failed
from sweep.queue.leases import LEASE_SECONDS, RENEW_SECONDS
from sweep.queue.owner import is_gone, this_process
from sweep.store.store import Store
from sweep.workload.job import Job
from tests.patience import PATIENCE
from tests.sweep.hand_clock import HandClock
from tests.sweep.one_by_one import OneByOne, failing
from trainer.rundir.directory import Result


def wait_out(queue: OneByOne, clock: HandClock, seconds: float = LEASE_SECONDS + 1) -> int:
    """Check the leases every second for some time; returns how many have expired."""
    lost = 0
    for _ in range(round(seconds) + 1):
        lost += queue.reclaim_lost()
        clock.pass_seconds(1)
    return lost


def test_a_lease_that_is_not_renewed_expires_and_can_be_taken_over(
    queue: OneByOne, other: OneByOne, jobs: list[Job], clock: HandClock
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
    assert (first.outcome, first.reason) == (
        "lost",
        "its scheduler has given no sign of life for 60 s",
    )
    assert (second.number, second.ended) == (2, None)


def test_a_renewed_lease_does_not_expire(
    queue: OneByOne, other: OneByOne, jobs: list[Job], clock: HandClock
) -> None:
    for job in jobs[:2]:
        assert queue.claim(job.run_id)
    for _ in range(10):
        assert wait_out(other, clock, RENEW_SECONDS) == 0
        queue.renew()
    assert not other.claim(jobs[0].run_id)


def test_a_scheduler_renews_only_its_own_leases(
    queue: OneByOne, other: OneByOne, jobs: list[Job], clock: HandClock
) -> None:
    assert queue.claim(jobs[0].run_id)
    assert other.claim(jobs[1].run_id)
    for _ in range(10):
        wait_out(other, clock, RENEW_SECONDS)
        other.renew()
    assert queue.row(jobs[0].run_id).state == "queued"
    assert queue.row(jobs[1].run_id).owner == "other:2:2"


@pytest.mark.parametrize("hours", [-30, -1, 1, 30])
def test_setting_the_clock_neither_ends_nor_extends_a_lease(
    queue: OneByOne, other: OneByOne, jobs: list[Job], clock: HandClock, hours: int
) -> None:
    assert queue.claim(jobs[0].run_id)
    assert wait_out(other, clock, 10) == 0
    clock.wall += hours * 3600
    assert wait_out(other, clock, LEASE_SECONDS - 15) == 0
    assert wait_out(other, clock, 10) == 1


def test_who_was_suspended_does_not_take_its_own_absence_for_that_of_others(
    queue: OneByOne, other: OneByOne, jobs: list[Job], clock: HandClock
) -> None:
    assert queue.claim(jobs[0].run_id)
    assert other.reclaim_lost() == 0
    clock.pass_seconds(24 * 3600)
    assert other.reclaim_lost() == 0


@pytest.mark.parametrize("hours", [-30, 0, 30])
def test_a_failed_run_is_tried_again_after_its_pause_whatever_happens_to_the_clock(
    other: OneByOne, jobs: list[Job], clock: HandClock, queue: OneByOne, hours: int
) -> None:
    run_id = jobs[0].run_id
    assert queue.claim(jobs[1].run_id)  # `queue` has inserted the four runs
    assert other.claim(run_id)
    assert other.turn([failed(run_id, failing("no luck"), None, 8.0)]).kept == {run_id}
    clock.pass_seconds(7)
    assert not other.claim(run_id)
    clock.wall += hours * 3600
    clock.pass_seconds(2)
    claim = other.claim(run_id)
    assert claim
    assert claim.failures == 1


def test_the_pause_after_a_failure_holds_for_another_scheduler_as_well(
    queue: OneByOne, open_store: Callable[[], Store], jobs: list[Job], clock: HandClock
) -> None:
    run_id = jobs[0].run_id
    first, second = (OneByOne(open_store(), f"{name}:1:1", clock) for name in ("a", "b"))
    for number in (1, 2):
        claim = first.claim(run_id)
        assert claim
        assert claim.failures == number - 1
        first.turn([failed(run_id, failing("no luck"), None, 8.0)])
        assert not second.claim(run_id)
        clock.pass_seconds(9)
    claim = second.claim(run_id)
    assert claim
    assert (claim.failures, claim.attempt) == (2, 3)
    assert queue.enqueue(jobs) == 0


def test_a_scheduler_that_lost_its_lease_cannot_change_the_run(
    queue: OneByOne,
    other: OneByOne,
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
    assert queue.row(run_id).state == "running"
    assert queue.row(run_id).owner == "other:2:2"
    assert other.record(run_id, make_result(), [], None)
    assert queue.row(run_id).test_loss == 2.5
    assert list(queue.store.chunk_losses(run_id)) == [2.25, 2.75]


def test_a_scheduler_that_lost_its_lease_and_claimed_again_cannot_use_the_old_lease(
    queue: OneByOne,
    store: Store,
    other: OneByOne,
    jobs: list[Job],
    make_result: Callable[..., Result],
    clock: HandClock,
) -> None:
    run_id = jobs[0].run_id
    assert queue.claim(run_id)
    assert wait_out(other, clock) == 1
    again = OneByOne(store, queue.owner)  # the same name, as if a scheduler had two threads
    assert again.claim(run_id)
    assert not queue.record(run_id, make_result(test_loss=9.0), [], None)
    assert again.record(run_id, make_result(), [], None)


def test_a_process_is_distinguished_from_a_later_one_with_the_same_id() -> None:
    me = this_process()
    host, pid, started = me.rsplit(":", 2)
    assert (host, pid) == (socket.gethostname(), str(os.getpid()))
    assert not is_gone(me)
    assert is_gone(f"{host}:{pid}:{started}0")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_zombie_process_counts_as_ended() -> None:
    code = "from sweep.queue.owner import this_process; print(this_process(), flush=True); input()"
    command, pipe = [sys.executable, "-c", code], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        owner = process.stdout.readline().strip()
        assert not is_gone(owner)
        process.kill()
        deadline = time.monotonic() + PATIENCE
        while not is_gone(owner):
            assert time.monotonic() < deadline
        assert process.returncode is None, "its parent has not waited for it"


def test_a_process_of_another_host_never_counts_as_ended() -> None:
    assert not is_gone("far-away.example:1:1")
    assert not is_gone(f"{socket.gethostname()}.example:{2**22 + 1}:1")
