"""The change and the message recorded for an attempt that has ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.executors.base import Ended
from sweep.queue.changes import Claim
from sweep.running.attempt import Running, StopRequest, change_after, change_without_start
from sweep.study.jobs_section import Jobs
from sweep.trainers.base import Cause
from sweep.workload.job import Job
from trainer.errors import RunDirectoryError
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit


@pytest.mark.parametrize(
    ("by_kernel", "reason"),
    [
        (
            True,
            (
                "out of memory: the kernel killed it (SIGKILL) at 1.50 GB resident; set a smaller "
                "jobs.micro_batch, run fewer at once (--slots), or give it more memory"
            ),
        ),
        (
            False,
            (
                "killed by signal 9 (SIGKILL) at 1.50 GB resident: sent by another process, not by "
                "the OOM killer"
            ),
        ),
        (None, "killed by signal 9 (SIGKILL)"),
    ],
    ids=["kernel", "person", "unknown"],
)
def test_the_reason_says_who_killed_a_run_if_that_is_known(
    tmp_path: Path, make_job: Callable[[int], Job], by_kernel: bool | None, reason: str
) -> None:
    run = Running(make_job(1), "slot", RunDirectory(tmp_path), Claim("run", 1, 0))
    ended = Ended(tmp_path, None, 9, 1_500_000_000, by_kernel)
    change = change_after(run, ended, Jobs())
    assert (change.state, change.outcome, change.reason) == ("queued", "failed", reason)


def test_the_reason_for_a_refused_allocation_has_the_peak_memory(
    tmp_path: Path, make_job: Callable[[int], Job]
) -> None:
    run = Running(make_job(1), "slot", RunDirectory(tmp_path), Claim("run", 1, 0))
    run.directory.log.write_text("Traceback ...\nout of memory: an allocation was refused (x)\n")
    change = change_after(run, Ended(tmp_path, Exit.OUT_OF_MEMORY, None, 1_500_000_000), Jobs())
    assert change.reason == (
        "out of memory: an allocation was refused (x) (at its peak: 1.50 GB resident)"
    )


@pytest.mark.parametrize(
    ("status", "state", "outcome"),
    [
        (Exit.STOPPED, "queued", "stopped"),
        (Exit.TAKEN, "queued", "stopped"),
        (Exit.DISK_FULL, "queued", "stopped"),
        (Exit.REFUSED, "failed", "failed"),
        (Exit.FAILED, "queued", "failed"),
    ],
)
def test_an_exit_status_counts_even_if_the_log_cannot_be_read(
    tmp_path: Path, make_job: Callable[[int], Job], status: Exit, state: str, outcome: str
) -> None:
    run = Running(make_job(1), "slot", RunDirectory(tmp_path), Claim("run", 1, 0))
    run.stop = StopRequest(Cause.STOPPED, "paused") if status == Exit.STOPPED else None
    run.directory.log.mkdir()
    change = change_after(run, Ended(tmp_path, status), Jobs())
    assert (change.state, change.outcome) == (state, outcome)


def test_a_run_that_refuses_after_it_stalled_is_not_tried_again(
    tmp_path: Path, make_job: Callable[[int], Job]
) -> None:
    run = Running(make_job(1), "slot", RunDirectory(tmp_path), Claim("run", 1, 0))
    run.stop = StopRequest(Cause.STALLED, "it hung")
    assert change_after(run, Ended(tmp_path, Exit.FAILED), Jobs()).state == "queued"
    assert change_after(run, Ended(tmp_path, Exit.REFUSED), Jobs()).state == "failed"


def test_attempts_that_could_not_start_failed_alike_only_if_their_messages_differ_in_paths_alone(
    tmp_path: Path, make_job: Callable[[int], Job]
) -> None:
    run = Running(make_job(1), "slot", RunDirectory(tmp_path), Claim("run", 1, 0))

    def signature(message: str) -> str:
        return change_without_start(run, RunDirectoryError(message), Jobs()).signature

    one, other = "runs/1a/lock cannot be opened", "runs/2b/lock cannot be opened"
    assert signature(one) == signature(other) != signature("runs/1a/result.json is damaged")
