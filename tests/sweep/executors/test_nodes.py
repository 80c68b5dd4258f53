"""Runs on two nodes of a real Slurm: they end as on one, and a rank that dies ends them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sweep.errors import ExecutionError
from sweep.executors.base import Ended
from sweep.executors.registry import slots_for
from sweep.executors.settings import ExecutorSettings
from sweep.executors.slots import Slot
from sweep.executors.slurm.executor import SlurmExecutor
from sweep.study.file import parse_study
from sweep.study.jobs_section import Jobs
from sweep.study.slurm_section import Slurm
from tests.patience import wait_until
from tests.sweep.executors.conftest import MakeRun
from tests.sweep.executors.slurm_cluster import SlurmCluster
from tests.trainer.conftest import TINY
from tests.trainer.forked import train
from trainer.execution import Execution
from trainer.recipe import Recipe
from trainer.recipe_forms import with_fields
from trainer.rundir.directory import Request, RunDirectory
from trainer.rundir.exits import Exit

SHORT, LONG = 12, 1_000_000
"""Steps of a run, and of one that does not end while a test looks on."""


@pytest.fixture
def executor(slurm: SlurmCluster, tmp_path: Path) -> Iterator[SlurmExecutor]:  # noqa: ARG001  (it must be there)
    jobs = Jobs(
        executor="slurm",
        gpus_per_run=2,
        nodes_per_run=2,
        slurm=Slurm(poll_seconds=0.2, gres="none"),
    )
    (tmp_path / "runs").mkdir()
    made = SlurmExecutor(
        ExecutorSettings(
            slots=[Slot(f"job {number}", "slurm", 1) for number in range(2)],
            folder=(tmp_path / "runs").resolve(),
            jobs=jobs,
            preload=(),
        )
    )
    made.prepare()
    wait_until(lambda: made.wait(0.1) or made.slots)
    yield made
    made.close()


@pytest.fixture
def make_gpt(tmp_path: Path) -> Callable[..., RunDirectory]:
    """Makes a run directory of the built-in trainer."""
    text = tmp_path / "text.txt"
    text.write_text("".join(f"{number} bottles of beer on the wall.\n" for number in range(2000)))

    def make(name: str, steps: int, processes: int) -> RunDirectory:
        changes = {"data.corpus": str(text), "train.tokens": 16 * 8 * steps}
        run = RunDirectory(tmp_path / "runs" / name)
        run.write_request(
            Request(
                recipe=Recipe.model_validate(with_fields(TINY, changes)),
                execution=Execution(processes=processes),
            )
        )
        run.lock.announce(1)
        return run

    return make


def rank_of(node: str) -> int | None:
    """The process of the rank on a node; None if there is none."""
    for path in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            variables = (path / "environ").read_text().split("\0") if path.name.isdecimal() else []
            started = (path / "cmdline").read_text().split("\0")
            parent = (path / "stat").read_text().rpartition(")")[2].split()[1]
            above = Path("/proc", parent, "cmdline").read_text().split("\0")
            if f"SLURMD_NODENAME={node}" in variables and "--join" in started and above == started:
                return int(path.name)
    return None


@pytest.mark.slow
def test_two_nodes_train_a_run_as_one_does_and_a_rank_that_dies_ends_it_with_its_reason(
    executor: SlurmExecutor, make_gpt: Callable[..., RunDirectory], slurm: SlurmCluster
) -> None:
    alone, both, killed = make_gpt("a", SHORT, 1), make_gpt("b", SHORT, 2), make_gpt("c", LONG, 2)
    assert train(alone) == Exit.DONE  # prepares the corpus, too
    for slot, run in zip(executor.slots, (both, killed), strict=True):
        executor.start(run.path, slot, 1)
    ended: dict[str, Ended] = {}

    def see(done: Callable[[], Any]) -> None:
        wait_until(
            lambda: (
                ended.update({each.directory.name: each for each in executor.wait(0.1)}) or done()
            )
        )

    see(lambda: "b" in ended and killed.read_events())
    assert ended["b"].status == Exit.DONE, both.log.read_text()
    one, two = alone.read_result(), both.read_result()
    assert one
    assert two
    assert two.processes == 2
    assert two.test_loss == pytest.approx(one.test_loss, rel=1e-5)
    assert two.chunk_losses == pytest.approx(one.chunk_losses, rel=1e-5)
    rank = rank_of("n2")
    assert rank
    os.kill(rank, signal.SIGKILL)
    see(lambda: "c" in ended)
    assert (ended["c"].status, ended["c"].lost) == (Exit.FAILED, None)
    assert killed.last_log_line() == "process 1 of this run was ended by signal 9 (SIGKILL)"
    slurm.wait_until(lambda: not slurm.jobs(), "an empty queue")


@pytest.mark.slow
def test_a_script_runs_on_the_first_node_and_its_srun_on_all(
    executor: SlurmExecutor, make_run: MakeRun, tmp_path: Path
) -> None:
    run = make_run("a", "srun sh -c 'echo $SLURM_PROCID $MASTER_PORT >> seen'; echo loss 1")
    executor.start(run.path, executor.slots[0], 1)
    ended: list[Ended] = []
    wait_until(lambda: ended.extend(executor.wait(0.1)) or ended)
    assert ended[0].status == Exit.DONE, run.log.read_text()
    lines = [line.split() for line in (tmp_path / "seen").read_text().splitlines()]
    assert sorted(rank for rank, _ in lines) == ["0", "1"]
    assert len({port for _, port in lines}) == 1


@pytest.mark.parametrize("executor_name", ["local", "inline"])
def test_several_nodes_are_refused_where_there_is_one(
    content: dict[str, Any], executor_name: str
) -> None:
    content["jobs"] = {"executor": executor_name, "gpus_per_run": 2, "nodes_per_run": 2}
    with pytest.raises(ExecutionError, match=f"--executor {executor_name} trains on this machine"):
        slots_for(parse_study(content, "s.toml"))
