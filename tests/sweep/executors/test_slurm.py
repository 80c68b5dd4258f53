"""What Slurm does to jobs: they wait, are preempted, reach limits, and their nodes vanish."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.errors import ExecutionError
from sweep.executors.base import Ended
from sweep.executors.settings import ExecutorSettings
from sweep.executors.slurm import probe
from sweep.executors.slurm.batch import read_note
from sweep.executors.slurm.executor import SlurmExecutor
from sweep.executors.slurm.request import cancel_jobs
from sweep.study.jobs_section import Jobs
from tests.patience import PATIENCE
from tests.sweep.executors.conftest import MakeRun, MakeSlurm
from tests.sweep.executors.slurm_cluster import SlurmCluster
from trainer.rundir.attempt_end import read_note as read_worker_note
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit

pytestmark = pytest.mark.slow
UNTIL_GO = "while [ ! -e go ]; do sleep 0.1; done; echo loss 1"


def follow(executor: SlurmExecutor, condition: Callable[[], object]) -> list[Ended]:
    """Watch an executor until a condition holds; returns the ends until then."""
    until, ended = time.monotonic() + PATIENCE, list[Ended]()
    while not condition():
        assert time.monotonic() < until
        ended += executor.wait(0.05)
    return ended


def first_end(executor: SlurmExecutor) -> Ended:
    ended: list[Ended] = []
    until = time.monotonic() + PATIENCE
    while not ended:
        assert time.monotonic() < until
        ended += executor.wait(0.05)
    return ended[0]


def job_of(run: RunDirectory) -> str:
    note = read_worker_note(run)
    assert note
    return note.job.removeprefix("Slurm job ")


def begun(run: RunDirectory) -> Callable[[], bool]:
    return lambda: read_worker_note(run) is not None


def test_runs_are_one_array_and_a_job_that_waits_says_why(
    make_slurm: MakeSlurm, make_run: MakeRun, slurm: SlurmCluster, tmp_path: Path
) -> None:
    executor = make_slurm(running=1)
    runs = [make_run(name, UNTIL_GO) for name in "abc"]
    for slot, run in zip(executor.slots, runs, strict=True):
        executor.start(run.path, slot, 1)
    follow(executor, begun(runs[0]))
    notes = [read_note(run.path) for run in runs]
    assert len({note.batch for note in notes if note}) == 1
    follow(executor, lambda: "JobArrayTaskLimit" in str(executor.waiting(runs[2].path)))
    assert executor.waiting(runs[0].path) is None
    executor.stop(runs[2].path)
    assert first_end(executor) == Ended(runs[2].path.resolve(), Exit.STOPPED)
    assert cancel_jobs(tmp_path / "runs", [run.path for run in runs]) == 2
    slurm.wait_until(lambda: not slurm.jobs(), "an empty queue")


@pytest.mark.parametrize("how", ["preempted", "requeued", "vanished"])
def test_a_job_that_loses_its_node_goes_on_elsewhere_under_the_same_attempt(
    make_slurm: MakeSlurm, make_run: MakeRun, slurm: SlurmCluster, tmp_path: Path, how: str
) -> None:
    executor = make_slurm()
    run, lines = make_run("a", f"echo $SWEEP_ATTEMPT >> begun; {UNTIL_GO}"), tmp_path / "begun"
    lines.touch()
    executor.start(run.path, executor.slots[0], 1)
    follow(executor, lines.read_text)
    job = job_of(run)
    node = slurm.node_of(job)
    if how == "preempted":
        slurm.run("sbatch", "-phigh", "-N2", "--exclusive", "-o/dev/null", "--wrap=sleep 1")
    elif how == "requeued":
        slurm.run("scontrol", "requeue", job)
    else:
        slurm.vanish(node)
    follow(executor, lambda: len(lines.read_text().split()) == 2)
    (tmp_path / "go").touch()
    end = first_end(executor)
    if how == "vanished":
        slurm.start_node(node)
    assert (end.status, end.lost) == (Exit.DONE, None)
    assert lines.read_text() == "1\n1\n"
    slurm.wait_until(lambda: set(slurm.states().values()) == {"idle"}, "idle nodes")


def test_a_job_that_is_cancelled_by_hand_has_failed(
    make_slurm: MakeSlurm, make_run: MakeRun, slurm: SlurmCluster
) -> None:
    executor = make_slurm()
    run = make_run("a", UNTIL_GO)
    executor.start(run.path, executor.slots[0], 1)
    follow(executor, begun(run))
    slurm.run("scancel", job_of(run))
    end = first_end(executor)
    assert end.lost is None
    assert "was cancelled in Slurm" in str(end.reason)


def test_a_full_queue_is_waited_for_in_the_words_of_slurm(
    make_slurm: MakeSlurm,
    make_run: MakeRun,
    slurm: SlurmCluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sweep.executors.slurm.executor.FIRST_RETRY_SECONDS", 0.5)
    executor = make_slurm()
    run = make_run("a", "echo loss 1")
    slurm.run("scontrol", "update", "PartitionName=main", "State=DRAIN")
    try:
        executor.start(run.path, executor.slots[0], 1)
        follow(executor, executor.hindrance)
        assert "Required partition not available" in str(executor.hindrance())
        assert executor.slots == []
    finally:
        slurm.run("scontrol", "update", "PartitionName=main", "State=UP")
    assert first_end(executor).status == Exit.DONE
    assert executor.hindrance() is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"partition": "hihg"},
            "has no partition 'hihg'; it has main and high; did you mean 'high'?",
        ),
        ({"memory": "9999G"}, "Slurm refuses a job with these settings: .*not available"),
        ({"setup": ["echo no such module >&2", "exit 1"]}, "failed .*: no such module. Correct"),
        ({"python": "/no/python"}, "/no/python: .*[Nn]o such file"),
    ],
)
def test_wrong_settings_end_the_study_before_its_first_run(
    make_slurm: MakeSlurm, settings: dict[str, object], said: str
) -> None:
    with pytest.raises(ExecutionError, match=said):
        make_slurm(**settings)


@pytest.mark.parametrize(
    ("hidden_from", "absent", "words"),
    [
        ("n1", "n2", r"n1 does not see .*on a disk that all nodes share"),
        ("n2", None, r"n2 does not see .*\. The other 1 of 2 nodes .* can train: .*--exclude=n2"),
    ],
)
def test_a_node_without_the_folder_of_runs_is_named_before_the_first_run(
    make_slurm: MakeSlurm,
    slurm: SlurmCluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    hidden_from: str,
    absent: str | None,
    words: str,
) -> None:
    hidden = f"mount --bind /mnt {tmp_path}"
    try:
        slurm.run("unshare", "-m", "true")
    except AssertionError:
        pytest.skip("this container may not hide a folder from a process")
    monkeypatch.setattr(probe, "TIME_LIMIT", 1)
    slurm.stop_node(hidden_from)
    if absent:
        slurm.run("scontrol", "update", f"NodeName={absent}", "State=DRAIN", "Reason=test")
    slurm.run("unshare", "-m", "sh", "-c", f"{hidden} && exec slurmd -N {hidden_from}")
    try:
        slurm.wait_until(lambda: slurm.states()[hidden_from] == "idle", "an idle node")
        with pytest.raises(ExecutionError, match=words):
            make_slurm()
    finally:
        slurm.stop_node(hidden_from)
        slurm.start_node(hidden_from)
        if absent:
            slurm.run("scontrol", "update", f"NodeName={absent}", "State=RESUME")
        slurm.wait_until(lambda: set(slurm.states().values()) == {"idle"}, "idle nodes")


@pytest.mark.nightly
def test_a_node_with_another_torch_is_named_before_the_first_run(
    make_slurm: MakeSlurm, tmp_path: Path
) -> None:
    other = tmp_path / "torch-9.9.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 9.9\n")
    prolog = tmp_path / "prolog"  # which srun executes on each node
    path = f"echo export PYTHONPATH={tmp_path}:$PYTHONPATH"
    prolog.write_text(f"#!/bin/sh\nif [ $SLURMD_NODENAME = n2 ]; then {path}; fi\n")
    prolog.chmod(0o755)
    with pytest.raises(ExecutionError, match=r"n2 has torch 9\.9 and the scheduler .*--exclude=n2"):
        make_slurm(preload=["gpt"], setup=[f"export SLURM_TASK_PROLOG={prolog}"])


def test_slurm_that_is_not_there_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    jobs = Jobs(executor="slurm")
    executor = SlurmExecutor(ExecutorSettings(slots=[], folder=tmp_path, jobs=jobs))
    with pytest.raises(ExecutionError, match="Slurm is not here: the command sbatch was not found"):
        executor.prepare()
