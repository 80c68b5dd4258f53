"""Runs on several nodes of a real Ray cluster, whose nodes and processes are killed."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from sweep.errors import ExecutionError
from sweep.executors.ray.count import count_places
from sweep.executors.ray.executor import RayExecutor, make_ray_executor
from sweep.executors.settings import ExecutorSettings
from sweep.study.jobs_section import Jobs
from tests.patience import wait_until
from tests.sweep.executors.conftest import MakeRun
from tests.sweep.executors.ray_pair import NODE, Pair, processes
from tests.sweep.executors.slurm_cluster import descendants
from tests.sweep.executors.test_contract import ends, wait_for
from tests.sweep.ray_nodes import HAS_RAY, WHY_NOT
from tests.trainer.forked import train
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit

pytestmark = pytest.mark.skipif(not HAS_RAY, reason=WHY_NOT)
SHORT, LONG = 12, 1_000_000
"""Steps of a run, and of one that does not end while a test looks on."""


def supervisors(run: RunDirectory) -> tuple[int, int]:
    """The processes whose children train: that of the first node, which has the lock, and the other."""
    (first,) = run.lock.holders()
    others = {*processes(run)} - {first, *descendants(first)}
    (second,) = (pid for pid in others if descendants(pid))
    return first, second


def node_of(pid: int) -> int:
    """The number of a process's node."""
    variables = os.fsdecode(Path(f"/proc/{pid}/environ").read_bytes()).split("\0")
    return int(next(each for each in variables if each.startswith(NODE)).partition("=")[2])


def watch_steps(run: RunDirectory, executor: RayExecutor) -> None:
    """Wait until a run has made a further step."""
    before = max((event.step for event in run.read_events()), default=0)
    wait_for(lambda: any(event.step > before for event in run.read_events()), executor)


@pytest.mark.slow
def test_two_nodes_of_ray_train_a_run_as_one_process_does_and_nothing_stays_behind(
    pair: Pair, make_gpt: MakeRun
) -> None:
    alone, both = make_gpt("a", SHORT, 1), make_gpt("b", SHORT, 2)
    broken, stopped = make_gpt("c", LONG, 2), make_gpt("d", LONG, 2)
    assert train(alone) == Exit.DONE  # prepares the corpus, too
    executor = pair.executor()
    assert list(executor.slots) == ["ray 1"]
    executor.start(both.path, "ray 1", 1)
    assert ends(executor)[0].status == Exit.DONE, both.log.read_text()
    one, two = alone.read_result(), both.read_result()
    assert one
    assert two
    assert two.processes == 2
    assert two.test_loss == pytest.approx(one.test_loss, rel=1e-5)
    assert two.chunk_losses == pytest.approx(one.chunk_losses, rel=1e-5)
    executor.start(broken.path, "ray 1", 1)
    wait_for(broken.read_events, executor)
    first, second = supervisors(broken)
    assert {node_of(first), node_of(second)} == {0, 1}
    os.kill(descendants(second)[0], signal.SIGKILL)
    (end,) = ends(executor)
    assert (end.status, end.lost) == (Exit.FAILED, None)
    assert broken.last_log_line() == "process 1 of this run was ended by signal 9 (SIGKILL)"
    executor.start(stopped.path, "ray 1", 1)
    wait_for(stopped.read_events, executor)
    executor.stop(stopped.path)
    assert ends(executor)[0].status == Exit.STOPPED, stopped.log.read_text()
    assert list(stopped.checkpoints.glob("step-*"))
    assert not [pid for run in (both, broken, stopped) for pid in processes(run)]
    executor.close()
    wait_until(lambda: count_places(pair.settings) == 1)


@pytest.mark.slow
@pytest.mark.nightly
def test_a_run_of_which_a_node_dies_is_lost_with_the_reason_and_goes_on_with_another_node(
    pair: Pair, make_gpt: MakeRun
) -> None:
    run = make_gpt("a", LONG, 2, seconds=1)
    executor = pair.executor()
    reasons = {
        1: r"its processes on node [\d.]+ have died",
        0: "its process on the Ray cluster has died, with its node",
    }
    for attempt, role in enumerate(reasons, 1):
        run.lock.announce(attempt)
        executor.start(run.path, "ray 1", attempt)
        watch_steps(run, executor)
        wait_for(lambda: list(run.checkpoints.glob("step-*/*")), executor)
        pair.kill(node_of(supervisors(run)[role]))
        (end,) = ends(executor)
        assert end.status is None
        assert re.fullmatch(reasons[role], end.lost or "")
        wait_until(lambda: not processes(run))
        pair.add(attempt + 1)
    steps = run.read_events()[-1].step
    run.lock.announce(3)
    executor.start(run.path, "ray 1", 3)
    watch_steps(run, executor)
    assert run.read_events()[0].step <= steps, "it has not begun anew"
    executor.stop(run.path, now=True)
    assert ends(executor)[0].signal == signal.SIGKILL
    wait_until(lambda: not processes(run))


@pytest.mark.slow
@pytest.mark.nightly
def test_the_run_on_two_nodes_of_a_killed_scheduler_is_adopted_and_its_nodes_are_given_back(
    pair: Pair, make_gpt: MakeRun
) -> None:
    run = make_gpt("a", LONG, 2)
    first = pair.executor()
    first.start(run.path, "ray 1", 1)
    wait_for(run.read_events, first)
    first._server.kill()  # a killed scheduler takes this process with it
    second = pair.executor()
    assert second.adopts(run.path)
    second.start(run.path, "ray 1", 2)
    watch_steps(run, second)
    second._server.kill()
    os.kill(
        parent_of(parent_of(supervisors(run)[0])), signal.SIGKILL
    )  # the actor of the first node
    wait_until(lambda: not processes(run))
    wait_until(lambda: count_places(pair.settings) == 1)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_several_nodes_of_ray_are_refused_without_a_shared_disk() -> None:
    fields = {"executor": "ray", "gpus_per_run": 2, "nodes_per_run": 2, "shared_filesystem": False}
    given = Jobs.model_validate(fields)
    settings = ExecutorSettings(slots=[], folder=Path("/runs"), jobs=given, preload=["gpt"])
    with pytest.raises(ExecutionError, match="the nodes of a run share its directory"):
        make_ray_executor(settings)
