"""Ends of jobs that Slurm's controller has forgotten, from the accounting of a real Slurm."""

from __future__ import annotations

import pytest

from sweep.executors.slurm.client import Client, JobEnd, Task
from tests.patience import wait_until
from tests.sweep.executors import slurm_accounting, slurm_cluster


@pytest.mark.slow
@pytest.mark.nightly
def test_the_accounting_tells_how_jobs_ended_that_the_controller_has_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if why := slurm_cluster.missing() or slurm_accounting.missing():
        pytest.skip(why)
    scripts = ("exit 3", "kill -9 $$", "true", "sleep 1000")
    with slurm_accounting.slurm_with_accounting() as cluster:
        monkeypatch.setenv("SLURM_CONF", str(cluster.configuration))
        monkeypatch.setenv("PATH", cluster.environment["PATH"])
        submit = ("sbatch", "--parsable", "--array=0-0", "--output=/dev/null", "--wrap")
        jobs = {each: int(cluster.run(*submit, each)) for each in scripts}
        wait_until(lambda: set(cluster.jobs().values()) == {"RUNNING"} and len(cluster.jobs()) == 1)
        cluster.run("scancel", str(jobs["sleep 1000"]))
        for job in jobs.values():
            wait_until(lambda job=job: not cluster.answers("scontrol", "show", "job", str(job)))
        found = {each: Client().final_state(Task(job, 0)) for each, job in jobs.items()}
    assert found == {
        "exit 3": JobEnd("FAILED", "3:0"),
        "kill -9 $$": JobEnd("FAILED", "0:9"),
        "true": JobEnd("COMPLETED", "0:0"),
        "sleep 1000": JobEnd("CANCELLED", "0:0"),
    }


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (JobEnd("FAILED", "3:0"), "FAILED, exit status 3"),
        (JobEnd("FAILED", "0:9"), "FAILED, signal 9"),
        (JobEnd("NODE_FAIL", "0:0"), "NODE_FAIL"),
        (JobEnd("unknown to Slurm"), "unknown to Slurm"),
    ],
)
def test_the_end_of_a_job_is_told_with_its_exit_status(end: JobEnd, words: str) -> None:
    assert end.words == words
