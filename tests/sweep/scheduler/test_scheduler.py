"""The scheduler brings every job to an outcome once, whatever the executor reports."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.store.find_run import find_run
from sweep.store.store import Store
from sweep.workload.job import Job
from tests.patience import PATIENCE
from tests.sweep.one_by_one import OneByOne
from tests.sweep.rehearsal import Behaviour, Desk, Rehearsal, folder_of, loss_of, states
from trainer.rundir.directory import Result, RunDirectory
from trainer.rundir.exits import Exit


def test_every_job_is_done_once_in_order_with_all_slots_busy(
    desk: Callable[..., Desk], succeed: Behaviour, jobs: list[Job]
) -> None:
    made = desk(succeed)
    summary = made.scheduler.run(jobs)
    assert (summary.finished, summary.failed, summary.interrupted) == (6, 0, False)
    assert made.executor.started == [folder_of(made, job) for job in jobs]
    assert made.executor.most == 2
    for seed, job in enumerate(jobs):
        run = find_run(made.store, job.run_id).run
        assert (run.state, run.test_loss) == ("done", 2.0 + loss_of(seed))
        assert len(made.store.curve(job.run_id)) == 2
        (attempt,) = made.store.attempts(job.run_id)
        assert (attempt.outcome, attempt.peak_bytes) == ("done", 1024)
    assert made.seen.getvalue().count("test loss") == 6
    assert "6/6" in made.seen.getvalue()


def test_a_run_is_shown_before_it_trains(
    desk: Callable[..., Desk], jobs: list[Job], succeed: Behaviour
) -> None:
    shown: list[bool] = []

    def behave(directory: RunDirectory, number: int) -> int | None:
        run_id = directory.read_request().run_id
        shown.append(run_id in made.scheduler._watcher.busy)  # type: ignore[attr-defined]
        return succeed(directory, number)

    made = desk(behave)
    made.scheduler.run(jobs)
    assert shown == [True] * 6


def test_a_run_that_fails_is_tried_again_and_counts_when_it_succeeds(
    desk: Callable[..., Desk], succeed: Behaviour, jobs: list[Job]
) -> None:
    def stumble(directory: RunDirectory, number: int) -> int | None:
        if number == 1:
            directory.log.write_text("something\nRuntimeError: no luck\n")
            return Exit.FAILED
        return None if number == 2 else succeed(directory, number)

    made = desk(stumble, retries=2)
    summary = made.scheduler.run(jobs[:1])
    assert (summary.finished, summary.failed) == (1, 0)
    attempts = made.store.attempts(jobs[0].run_id)
    assert [(attempt.outcome, attempt.reason) for attempt in attempts] == [
        ("failed", "RuntimeError: no luck"),
        ("failed", "killed by signal 9 (SIGKILL)"),
        ("done", None),
    ]
    assert "failed and will be tried again: RuntimeError: no luck" in made.seen.getvalue()


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_run_that_keeps_failing_is_given_up_after_its_retries_and_the_others_continue(
    desk: Callable[..., Desk], succeed: Behaviour, jobs: list[Job], retries: int
) -> None:
    bad = jobs[2].spec.recipe.seeds.init

    def fail_one(directory: RunDirectory, number: int) -> int | None:
        seed = directory.read_request().recipe.seeds.init
        return Exit.FAILED if seed == bad else succeed(directory, number)

    made = desk(fail_one, retries=retries)
    summary = made.scheduler.run(jobs)
    assert (summary.finished, summary.failed, summary.interrupted) == (5, 1, False)
    assert states(made, jobs) == {"done": 5, "failed": 1}
    run = find_run(made.store, jobs[2].run_id).run
    assert (run.state, run.cause) == ("failed", "exited with status 1 and printed nothing")
    assert len(made.store.attempts(jobs[2].run_id)) == retries + 1
    assert made.seen.getvalue().count("FAILED") == 1


def test_a_diverged_run_has_an_outcome_and_is_not_tried_again(
    desk: Callable[..., Desk], make_result: Callable[..., Result], jobs: list[Job]
) -> None:
    def diverge(directory: RunDirectory, _number: int) -> int:
        outcome = {"test_loss": None, "chunk_losses": [], "diverged_at": 1, "cause": "loss is nan"}
        directory.write_result(make_result(state="diverged", **outcome))
        return Exit.DONE

    made = desk(diverge)
    summary = made.scheduler.run(jobs[:2])
    assert (summary.finished, summary.failed) == (2, 0)
    run = find_run(made.store, jobs[0].run_id).run
    assert (run.state, run.diverged_at, run.cause) == ("diverged", 1, "loss is nan")
    assert len(made.executor.started) == 2
    assert made.seen.getvalue().count("diverged at step 1: loss is nan") == 2


def test_stopping_keeps_finished_runs_and_queues_the_others(
    desk: Callable[..., Desk], succeed: Behaviour, jobs: list[Job]
) -> None:
    def stop_after_three(directory: RunDirectory, number: int) -> int | None:
        if len(made.executor.started) == 4:
            made.executor.endless = True
            made.scheduler.stop()
        return succeed(directory, number)

    made = desk(stop_after_three)
    summary = made.scheduler.run(jobs)
    assert summary.interrupted
    assert summary.finished == 3
    assert states(made, jobs) == {"done": 3, "queued": 3}
    assert len(made.executor.started) == 4
    (attempt,) = made.store.attempts(jobs[3].run_id)
    assert (attempt.outcome, attempt.reason) == ("stopped", "stopped at the keyboard")

    again = desk(succeed)
    assert again.scheduler.run(jobs[3:]).finished == 3
    assert states(again, jobs) == {"done": 6}


def test_an_error_in_the_scheduler_leaves_no_run_claimed(
    desk: Callable[..., Desk], jobs: list[Job]
) -> None:
    def break_down(_directory: RunDirectory, _number: int) -> int:
        raise KeyboardInterrupt

    made = desk(break_down)
    with pytest.raises(KeyboardInterrupt):
        made.scheduler.run(jobs)
    assert states(made, jobs) == {"queued": 6}
    (attempt,) = made.store.attempts(jobs[0].run_id)
    assert (attempt.outcome, attempt.reason) == ("stopped", "its scheduler ended early")


def test_two_schedulers_on_one_database_share_the_work(
    open_store: Callable[[], Store], succeed: Behaviour, jobs: list[Job], tmp_path: Path
) -> None:
    desks = [
        Desk(
            open_store(), Rehearsal(succeed, slots=1, pause=0.05), tmp_path / "runs", f"{name}:1:1"
        )
        for name in ("one", "two")
    ]
    threads = [threading.Thread(target=desk.scheduler.run, args=[jobs]) for desk in desks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=PATIENCE)
        assert not thread.is_alive()
    started = [directory for desk in desks for directory in desk.executor.started]
    assert sorted(started) == sorted(folder_of(desks[0], job) for job in jobs)
    assert all(desk.executor.started for desk in desks)
    assert states(desks[0], jobs) == {"done": 6}
    for desk in desks:  # each has heard of all six
        assert desk.seen.getvalue().count("\n") == 6
        assert "done, by another sweep" in desk.seen.getvalue()


def test_a_run_that_another_scheduler_lost_is_trained(
    desk: Callable[..., Desk], succeed: Behaviour, jobs: list[Job]
) -> None:
    made = desk(succeed)
    host = OneByOne(made.store, "elsewhere:1:1")
    assert host.claim(jobs[0].run_id)
    threading.Timer(0.3, host.release, [jobs[0].run_id, "gave up"]).start()
    assert made.scheduler.run(jobs).finished == 6
    assert [a.outcome for a in made.store.attempts(jobs[0].run_id)] == ["stopped", "done"]


def test_a_run_that_was_refused_is_not_tried_again(
    desk: Callable[..., Desk], jobs: list[Job]
) -> None:
    made = desk(lambda _directory, _number: Exit.REFUSED, retries=5)
    summary = made.scheduler.run(jobs[:2])
    assert (summary.finished, summary.failed) == (0, 2)
    assert len(made.store.attempts(jobs[0].run_id)) == 1
