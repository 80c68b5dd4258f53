"""What runs have of a real Slurm: several nodes, their GPUs, and a time limit after which they go on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweep.errors import ExecutionError
from sweep.executors.base import Ended
from sweep.executors.registry import slots_for
from sweep.executors.slurm.executor import SlurmExecutor
from sweep.study.file import parse_study
from tests.patience import wait_until
from tests.sweep.executors.conftest import MakeRun, MakeSlurm
from tests.sweep.executors.slurm_cluster import SlurmCluster, descendants
from tests.trainer.forked import train
from trainer.rundir.attempt_end import read_note
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit

SHORT, LONG = 12, 1_000_000
"""Steps of a run, and of one that does not end while a test looks on."""


def rank_of(slurm: SlurmCluster, node: str) -> int | None:
    """The process of the rank on a further node; None if there is none."""
    joined = [
        pid
        for pid, words, variables in slurm.processes()
        if f"SLURMD_NODENAME={node}" in variables and "--join" in words.split("\0")
    ]
    return next((rank for pid in joined for rank in descendants(pid)), None)


def ends(executor: SlurmExecutor, number: int) -> dict[str, Ended]:
    """The next ends of runs, by the names of their directories."""
    found: list[Ended] = []
    wait_until(lambda: found.extend(executor.wait(0.1)) or len(found) >= number)
    return {each.directory.name: each for each in found}


def watch(executor: SlurmExecutor, condition: Callable[[], object]) -> None:
    """Watch runs, none of which ends, until a condition holds."""

    def holds() -> object:
        assert executor.wait(0.1) == []
        return condition()

    wait_until(holds)


def has_signal(pid: int) -> bool:
    """True if a signal waits for a process that is stopped."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return any(int(line.split()[1], 16) for line in lines if line.startswith("ShdPnd"))


@pytest.mark.slow
def test_two_nodes_train_a_run_as_one_does_and_a_rank_that_dies_ends_it_with_its_reason(
    make_slurm: MakeSlurm, make_gpt: Callable[..., RunDirectory], slurm: SlurmCluster
) -> None:
    executor = make_slurm(jobs={"gpus_per_run": 2, "nodes_per_run": 2})
    alone, both, killed = make_gpt("a", SHORT, 1), make_gpt("b", SHORT, 2), make_gpt("c", LONG, 2)
    assert train(alone) == Exit.DONE  # prepares the corpus, too
    for slot, run in zip(executor.slots, (both, killed), strict=False):
        executor.start(run.path, slot, 1)
    assert ends(executor, 1)["b"].status == Exit.DONE, both.log.read_text()
    one, two = alone.read_result(), both.read_result()
    assert one
    assert two
    assert two.processes == 2
    assert two.test_loss == pytest.approx(one.test_loss, rel=1e-5)
    assert two.chunk_losses == pytest.approx(one.chunk_losses, rel=1e-5)
    watch(executor, killed.read_events)
    rank = rank_of(slurm, "n2")
    assert rank
    os.kill(rank, signal.SIGKILL)
    end = ends(executor, 1)["c"]
    assert (end.status, end.lost) == (Exit.FAILED, None)
    assert killed.last_log_line() == "process 1 of this run was ended by signal 9 (SIGKILL)"
    slurm.wait_until(lambda: not slurm.jobs(), "an empty queue")


@pytest.mark.slow
@pytest.mark.parametrize(("nodes", "gpus"), [(1, 2), (2, 4)])
def test_a_script_has_its_gpus_on_each_of_its_nodes(
    make_slurm: MakeSlurm, make_run: MakeRun, tmp_path: Path, nodes: int, gpus: int
) -> None:
    executor = make_slurm(jobs={"gpus_per_run": gpus, "nodes_per_run": nodes}, gres=None)
    shown = "$SLURMD_NODENAME $CUDA_VISIBLE_DEVICES $MASTER_PORT {gpus}"
    wait = f"until [ $(wc -l < seen) = {nodes} ]; do sleep 0.1; done"
    run = make_run("a", f"echo {shown} >> seen; {wait}; echo loss 1", gpus)
    executor.start(run.path, executor.slots[0], 1)
    assert ends(executor, 1)["a"].status == Exit.DONE, run.log.read_text()
    lines = [line.split() for line in (tmp_path / "seen").read_text().splitlines()]
    assert len(lines) == len({node for node, *_ in lines}) == nodes
    assert {devices for _, devices, *_ in lines} == {"0,1"}
    assert len({port for _, _, port, _ in lines}) == 1
    assert {given for *_, given in lines} == {"2"}


@pytest.mark.slow
def test_a_run_at_the_time_limit_goes_on_from_its_checkpoint_in_the_same_attempt(
    make_slurm: MakeSlurm, make_gpt: Callable[..., RunDirectory]
) -> None:
    executor = make_slurm(time="1", notice=30)  # half a minute for its first step
    run = make_gpt("a", LONG, 1, seconds=1)
    executor.start(run.path, executor.slots[0], 1)
    watch(executor, lambda: run.read_events() and run.lock.holders())
    pid = run.lock.holders()[0]
    os.kill(pid, signal.SIGSTOP)  # it costs no processor until Slurm's notice comes
    before = run.read_events()[-1].step
    watch(executor, lambda: has_signal(pid))
    os.kill(pid, signal.SIGCONT)
    watch(executor, lambda: executor.waiting(run.path))
    assert list(run.checkpoints.glob("step-*"))
    watch(executor, lambda: run.lock.holders() and run.read_events()[-1].step > before)
    assert run.read_events()[0].step <= before, "it has not begun anew"
    executor.stop(run.path)
    assert ends(executor, 1)["a"].status == Exit.STOPPED
    note = read_note(run)
    assert note
    assert note.attempt == 1


@pytest.mark.parametrize("executor_name", ["local", "inline"])
def test_several_nodes_are_refused_where_there_is_one(
    content: dict[str, Any], executor_name: str
) -> None:
    content["jobs"] = {"executor": executor_name, "gpus_per_run": 2, "nodes_per_run": 2}
    with pytest.raises(ExecutionError, match=f"--executor {executor_name} trains on this machine"):
        slots_for(parse_study(content, "s.toml"))
