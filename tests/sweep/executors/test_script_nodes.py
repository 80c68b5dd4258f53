"""Scripts on several nodes of a real Slurm and a real Ray: a process on each, which meet or fail."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sweep.executors.base import Executor
from tests.patience import wait_until
from tests.sweep.executors.conftest import MakeRun
from tests.sweep.executors.ray_pair import Pair
from tests.sweep.executors.test_contract import ends, wait_for
from tests.trainer.scripts import processes_of
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit
from trainer.scripts.environment import outputs_of

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("engine", ["slurm", "ray"])]
SUM = """
import sys, torch, torch.distributed as dist
dist.init_process_group("gloo")
total = torch.tensor([float(dist.get_rank() + 1)])
dist.all_reduce(total)
sys.stdout.write(f"rank {dist.get_rank()} of {dist.get_world_size()}\\n")  # whole, at its end
if dist.get_rank() == 0:
    print("loss", total.item(), flush=True)
dist.barrier()
dist.destroy_process_group()
"""
FOREVER = "while :; do sleep 0.1; done"
MakeExecutor = Callable[[int], Executor]


@pytest.fixture
def make(engine: str, request: pytest.FixtureRequest) -> MakeExecutor:
    """Makes an executor whose runs have some processes, spread over two nodes."""
    if engine == "slurm":
        make_slurm = request.getfixturevalue("make_slurm")
        return lambda processes: make_slurm(jobs={"gpus_per_run": processes, "nodes_per_run": 2})
    pair: Pair = request.getfixturevalue("pair")

    def make_ray(processes: int) -> Executor:
        pair.settings = replace(
            pair.settings, preload=[], gpus_per_run=processes, cpus_per_run=2 / processes
        )
        return pair.executor()

    return make_ray


def train(executor: Executor, run: RunDirectory) -> int | None:
    executor.start(run.path, executor.slots[0], 1)
    return ends(executor)[0].status


def left(run: RunDirectory) -> list[int]:
    return processes_of(outputs_of(run).folder)


def test_the_processes_of_a_script_meet_each_other_also_under_torchrun(
    make: MakeExecutor, make_run: MakeRun, tmp_path: Path
) -> None:
    (tmp_path / "sum.py").write_text(SUM)
    python = shlex.quote(sys.executable)
    executor = make(2)
    plain = make_run("a", f"{python} sum.py", 2)
    options = "--nnodes=$NNODES --node-rank=$NODE_RANK --master-addr=$MASTER_ADDR"
    more = "--master-port=$MASTER_PORT --nproc-per-node=$NPROC_PER_NODE"
    asked = make_run("b", f"{python} -m torch.distributed.run {options} {more} sum.py", 2)
    untold = make_run("c", f"{python} -m torch.distributed.run sum.py", 2)
    for run in (plain, asked, untold):
        assert train(executor, run) == Exit.DONE, run.log.read_text()
        result = run.read_result()
        assert result
        assert result.metrics == {"loss": 3.0}
        assert "rank 1 of 2" in run.log.read_text(), "the output of the other node"
    assert not left(untold)


def test_a_script_that_fails_on_a_node_or_is_stopped_ends_on_both(
    make: MakeExecutor, make_run: MakeRun, engine: str, tmp_path: Path
) -> None:
    executor = make(2)
    failing = make_run("a", f"if [ $NODE_RANK = 1 ]; then echo no luck; exit 3; fi; {FOREVER}", 2)
    assert train(executor, failing) == Exit.FAILED
    named = "node n2 " if engine == "slurm" else "node 127.0.0.1 "
    assert failing.last_log_line().endswith("(NODE_RANK 1): no luck (exit status 3)")
    assert failing.last_log_line().startswith(named) or engine == "ray"
    trap = "trap 'touch stopped-$NODE_RANK; exit 1' TERM"
    begun = "touch begun-$NODE_RANK"
    stopped = make_run("b", f"{trap}; {begun}; {FOREVER}", 2)
    executor.start(stopped.path, executor.slots[0], 1)
    wait_for(lambda: len(list(tmp_path.glob("begun-*"))) == 2, executor)
    executor.stop(stopped.path)
    assert ends(executor)[0].status == Exit.STOPPED, stopped.log.read_text()
    assert len(list(tmp_path.glob("stopped-*"))) == 2
    killed = make_run("c", f"touch killed-$NODE_RANK; {FOREVER}", 2)
    executor.start(killed.path, executor.slots[0], 1)
    wait_for(lambda: len(list(tmp_path.glob("killed-*"))) == 2, executor)
    executor.stop(killed.path, now=True)
    assert ends(executor)[0].status != Exit.DONE
    for run in (failing, stopped, killed):
        wait_until(lambda run=run: not left(run))
