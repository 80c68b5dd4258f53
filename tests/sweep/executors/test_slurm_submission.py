"""Submissions that fail, and whose outcome is unknown. Slurm's commands are scripts with a queue in a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.errors import ExecutionError
from sweep.executors.settings import ExecutorSettings
from sweep.executors.slots import Slot
from sweep.executors.slurm import client, node, probe
from sweep.executors.slurm.batch import read_note
from sweep.executors.slurm.executor import SlurmExecutor
from sweep.executors.slurm.request import cancel_jobs, slurm_of
from sweep.study.jobs_section import Jobs
from sweep.study.slurm_section import Slurm
from trainer.rundir.attempt_end import AttemptEnd, WorkerNote, write_end, write_note
from trainer.rundir.directory import RunDirectory

SBATCH = """\
name=$(sed -n 's/^#SBATCH --job-name=//p' "$2")
last=$(sed -n 's/^#SBATCH --array=0-//p' "$2")
if [ "$last" -ge "$(cat limit)" ]; then echo "sbatch: error: QOSMaxSubmitJobPerUserLimit" >&2; exit 1; fi
array=$(cat queue | wc -l)
for index in $(seq 0 "$last"); do echo "$array|$index|PENDING|$name|Priority" >> queue; done
if [ -e silent ]; then
    rm silent
    echo "sbatch: error: Socket timed out on send/recv operation" >&2
    exit 1
fi
echo "$array"
"""
SQUEUE = """\
[ ! -e down ] || exit 1
cat queue
echo "CLUSTER: another line"
"""
MUTE = ("scancel", "sacct", "scontrol")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the queue, a limit of the jobs in an array, and programs in PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in {"sbatch": SBATCH, "squeue": SQUEUE, **dict.fromkeys(MUTE, "exit 1")}.items():
        (folder / name).write_text(f"#!/bin/sh\ncd {tmp_path}\n{text}")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr("sweep.executors.slurm.executor.FIRST_RETRY_SECONDS", 0.0)
    (tmp_path / "queue").touch()
    (tmp_path / "limit").write_text("1000")
    return tmp_path


@pytest.fixture
def executor(world: Path) -> SlurmExecutor:
    jobs = Jobs(executor="slurm", slurm=Slurm(poll_seconds=0.2))
    slots = [Slot(f"job {number}", "slurm", 1) for number in range(8)]
    made = SlurmExecutor(ExecutorSettings(slots=slots, folder=world / "runs", jobs=jobs))
    made._largest = 8
    return made


@pytest.fixture
def start(world: Path, executor: SlurmExecutor) -> Callable[[int], list[RunDirectory]]:
    def start(number: int) -> list[RunDirectory]:
        runs = [RunDirectory(world / "runs" / str(index)) for index in range(number)]
        for run in runs:
            run.path.mkdir(parents=True)
            executor.start(run.path, "job 0", 1)
        return runs

    return start


def queue(world: Path) -> list[str]:
    return (world / "queue").read_text().splitlines()


def test_jobs_that_slurm_took_without_saying_so_are_not_submitted_again(
    world: Path, executor: SlurmExecutor, start: Callable[[int], list[RunDirectory]]
) -> None:
    (world / "silent").touch()
    runs = start(3)
    executor.wait(0.01)
    assert "Socket timed out" in str(executor.hindrance())
    (world / "down").touch()
    executor.wait(0.01)
    assert len(queue(world)) == 3, "it is not known whether Slurm has them"
    (world / "down").unlink()
    write_end(runs[2], AttemptEnd(attempt=1, status=0, host="n1", finished=1.0))
    (world / "queue").write_text("\n".join(queue(world)[:2]) + "\n")
    (ended,) = executor.wait(0.01)
    assert (ended.directory, ended.status) == (runs[2].path, 0)
    assert len(queue(world)) == 2
    assert executor.waiting(runs[0].path) == "Slurm job 0_0 waits: Priority"
    assert executor.hindrance() is None


def test_arrays_become_smaller_until_slurm_takes_them(
    world: Path, executor: SlurmExecutor, start: Callable[[int], list[RunDirectory]]
) -> None:
    (world / "limit").write_text("3")
    start(7)
    for _ in range(20):
        executor.wait(0.01)
    assert len(queue(world)) == 7
    assert executor.hindrance() is None


def test_a_run_that_is_stopped_before_slurm_takes_it_leaves_the_slots_free(
    world: Path, executor: SlurmExecutor, start: Callable[[int], list[RunDirectory]]
) -> None:
    (world / "limit").write_text("0")
    (run,) = start(1)
    executor.wait(0.01)
    assert executor.slots == []
    executor.stop(run.path)
    assert len(executor.slots) == 8


def test_a_full_disk_and_a_controller_that_is_silent_do_not_end_a_study(
    world: Path,
    executor: SlurmExecutor,
    start: Callable[[int], list[RunDirectory]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (world / "runs").mkdir()
    (world / "runs" / "slurm").touch()  # no folder can be made there
    (run,) = start(1)
    executor.wait(0.01)
    assert str(executor.hindrance()).startswith(f"Slurm takes no more jobs for now: {world}/runs/")
    (world / "runs" / "slurm").unlink()
    executor.wait(0.01)
    assert len(queue(world)) == 1
    monkeypatch.setattr(client, "TIMEOUT", 0.1)
    (world / "bin" / "scancel").write_text("#!/bin/sh\nexec sleep 5\n")
    executor.stop(run.path)
    executor.wait(0.01)


def test_an_array_that_was_replaced_trains_nothing(
    world: Path,
    executor: SlurmExecutor,
    start: Callable[[int], list[RunDirectory]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (world / "silent").touch()
    (run,) = start(1)
    executor.wait(0.01)
    old = read_note(run.path)
    (world / "queue").write_text("")  # it arrives at the controller after the next look
    executor.wait(0.01)
    new = read_note(run.path)
    assert old
    assert new
    assert old.batch != new.batch
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "1")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    monkeypatch.setattr("sys.argv", ["node", f"{world}/runs/slurm/{old.batch}/batch.json"])
    monkeypatch.setattr(node, "carry_out", lambda _order: pytest.fail("it trains"))
    assert node.main() == 0


def test_a_run_whose_node_never_says_how_it_ended_has_failed_after_some_losses(
    world: Path, executor: SlurmExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.executors.slurm.executor.GRACE_SECONDS", 0.0)
    run = RunDirectory(world / "runs" / "a")
    run.path.mkdir(parents=True)
    ends = []
    for attempt in range(1, 5):
        executor.start(run.path, "job 0", attempt)
        executor.wait(0.01)
        write_note(run, WorkerNote(attempt=attempt, host="n1"))
        (world / "queue").write_text("")
        executor._polled = -float("inf")
        ends += executor.wait(0.01)
    assert [bool(end.lost) for end in ends] == [True, True, True, False]
    assert "as 3 times before: the run may be the cause" in str(ends[-1].reason)


def test_jobs_are_cancelled_and_slurm_is_not_asked_where_all_have_ended(
    world: Path, executor: SlurmExecutor, start: Callable[[int], list[RunDirectory]]
) -> None:
    runs = start(2)
    executor.wait(0.01)
    paths = [run.path for run in runs]
    write_end(runs[0], AttemptEnd(attempt=1, status=0, host="n1", finished=1.0))
    assert cancel_jobs(world / "runs", paths) == 1
    (world / "down").touch()
    with pytest.raises(ExecutionError, match="their jobs may go on"):
        cancel_jobs(world / "runs", paths)
    write_end(runs[1], AttemptEnd(attempt=1, status=0, host="n1", finished=1.0))
    assert cancel_jobs(world / "runs", paths) == 0


@pytest.mark.parametrize("requeued", [False, True])
def test_a_job_at_its_time_limit_writes_an_end_only_if_slurm_does_not_queue_it_again(
    world: Path,
    executor: SlurmExecutor,
    start: Callable[[int], list[RunDirectory]],
    monkeypatch: pytest.MonkeyPatch,
    requeued: bool,
) -> None:
    (run,) = start(1)
    executor.wait(0.01)
    stopped = AttemptEnd(attempt=1, status=143, noticed=True, host="n1", finished=1.0)
    (world / "bin" / "squeue").write_text("#!/bin/sh\necho 'RUNNING|1:50'\n")
    (world / "bin" / "scontrol").write_text(f"#!/bin/sh\nexit {0 if requeued else 1}\n")
    for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"):
        monkeypatch.setenv(name, "0")
    note = read_note(run.path)
    assert note
    monkeypatch.setattr("sys.argv", ["node", f"{world}/runs/slurm/{note.batch}/batch.json"])
    monkeypatch.setattr(node, "carry_out", lambda _order: stopped)
    assert node.main() == 143
    ends = executor.wait(0.01)
    assert [str(end.lost) for end in ends] == ([] if requeued else ["n1 was taken away from it"])


def test_a_limit_that_other_jobs_have_reached_is_waited_for_before_the_first_run(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "RETRY_SECONDS", 0.0)
    settings = ExecutorSettings(slots=[], folder=world / "runs", jobs=Jobs(executor="slurm"))
    made = probe.Probe(client.Client(), settings, Slurm(), "")
    (world / "limit").write_text("0")
    (world / "queue").write_text("7_0\n")
    made.begin()
    assert "Slurm refuses a job: sbatch: error: QOSMaxSubmit" in str(made.hindrance())
    made.update([])
    (world / "limit").write_text("1")
    made.update([])
    assert "looks at nodes before the first run" in str(made.hindrance())
    (world / "limit").write_text("0")
    (world / "queue").write_text("")
    with pytest.raises(ExecutionError, match=r"refuses a job with these settings: .*QOSMax"):
        made.begin()


def test_options_of_the_user_s_own_count_only_where_the_study_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("SQUEUE_STATES", "SBATCH_TIMELIMIT", "SLURM_JOB_ID", "SLURM_CONF"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("SBATCH_ACCOUNT", "mine")
    monkeypatch.setenv("SBATCH_PARTITION", "long")
    kept = client.environment()
    assert "SLURM_CONF" in kept
    assert not any(name.startswith(("SQUEUE_", "SBATCH_", "SLURM_JOB")) for name in kept)
    found = slurm_of(Jobs(executor="slurm", slurm=Slurm(partition="gpu")))
    assert (found.partition, found.account, found.qos) == ("gpu", "mine", None)
    monkeypatch.setenv("SBATCH_ACCOUNT", "a b")
    with pytest.raises(ExecutionError, match="SBATCH_ variables: account: 'a b' is one word"):
        slurm_of(Jobs(executor="slurm"))
