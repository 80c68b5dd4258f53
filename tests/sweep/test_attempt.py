"""The change and the message recorded for an attempt that has ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.executors.base import Ended
from sweep.queue.changes import Claim
from sweep.running.attempt import Running, change_after
from sweep.study.file import Jobs
from sweep.workload.job import Job
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
