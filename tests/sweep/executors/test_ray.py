"""Runs on a real Ray cluster of several nodes on this machine, whose nodes are added and killed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sweep.design.arms import make_plan
from sweep.errors import ExecutionError
from sweep.executors.base import Ended
from sweep.executors.ray.executor import RayExecutor
from sweep.executors.ray.settings import RaySettings
from sweep.executors.registry import slots_for
from sweep.study.file import parse_study
from tests.patience import PATIENCE
from tests.sweep.ray_nodes import HAS_RAY, WHY_NOT, RayNodes
from trainer.execution import Execution
from trainer.files import write_json
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit
from trainer.rundir.request import Request
from trainer.scripts.request import MetricSource, ScriptRequest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not HAS_RAY, reason=WHY_NOT)]

WRITE = "import json, os; json.dump(dict(loss=1.0), open(os.environ['SWEEP_RESULT'], 'w'))"
WAIT = (
    "import pathlib, time\n"
    "pathlib.Path('{folder}/begun').touch()\n"
    "while not pathlib.Path('{folder}/go').exists(): time.sleep(0.05)\n"
)
"""Waits until a file appears, so that a test decides when the run ends."""


@pytest.fixture
def cluster(ray_session: RayNodes) -> RayNodes:
    return ray_session


class Runs:
    """Makes executors, and run directories for them; closes what was made."""

    def __init__(self, address: str, folder: Path) -> None:
        self._address, self.folder = address, folder
        self._made: list[RayExecutor] = []

    def executor(self, **settings: object) -> RayExecutor:
        """An executor that is ready."""
        usual = {"address": self._address, "folder": str(self.folder), "needs_torch": False}
        executor = RayExecutor(RaySettings(**usual | settings))  # type: ignore[arg-type]
        self._made.append(executor)
        until(lambda: executor.wait(0.1) or executor.slots)
        return executor

    def script(self, name: str, code: str = WRITE) -> RunDirectory:
        """A run directory of a Python script."""
        directory = RunDirectory(self.folder / name)
        directory.path.mkdir()
        request = ScriptRequest(
            command=[sys.executable, "-c", code.replace("{folder}", str(directory.path))],
            folder=str(self.folder),
            primary="loss",
            metrics={"loss": MetricSource()},
        )
        write_json(directory.script, request.model_dump(exclude_defaults=True))
        directory.lock.announce(1)
        return directory

    def waiting_script(self, name: str) -> RunDirectory:
        """One that goes on until there is a file `go` in its directory."""
        return self.script(name, WAIT + WRITE)

    def close(self) -> None:
        for executor in self._made:
            executor.close()


@pytest.fixture
def runs(cluster: RayNodes, tmp_path: Path) -> Iterator[Runs]:
    made = Runs(cluster.address, tmp_path)
    yield made
    made.close()


def until(holds: Callable[[], object]) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ends(executor: RayExecutor, number: int = 1) -> list[Ended]:
    found: list[Ended] = []
    until(lambda: found.extend(executor.wait(1.0)) or len(found) >= number)
    return sorted(found, key=lambda ended: ended.directory)


def ended(executor: RayExecutor) -> bool:
    """False if no run has ended; fails if one has."""
    found = executor.wait(0.1)
    assert not found
    return bool(found)


def begun(executor: RayExecutor, *directories: RunDirectory) -> None:
    until(lambda: executor.wait(0.1) or all((each.path / "begun").exists() for each in directories))


def test_the_runs_of_a_killed_scheduler_go_on_and_the_next_one_adopts_them_once(runs: Runs) -> None:
    first = runs.executor()
    on, over = runs.waiting_script("on"), runs.waiting_script("over")
    for directory in (on, over):
        first.start(directory.path, "ray 1", 1)
    begun(first, on, over)
    first._server.kill()  # a killed scheduler takes this process with it
    (over.path / "go").touch()
    until(over.result.exists)
    second = runs.executor()
    assert [second.adopts(each.path) for each in (on, over)] == [True, True]
    assert not second.adopts(runs.script("new").path)
    for directory in (on, over):
        second.start(directory.path, "ray 1", 2)
    assert [(end.directory.name, end.status) for end in ends(second)] == [("over", Exit.DONE)]
    (on.path / "go").touch()
    assert [(end.directory.name, end.status) for end in ends(second)] == [("on", Exit.DONE)]
    assert not second.adopts(on.path)


@pytest.mark.nightly
def test_a_node_that_joins_is_used_and_the_runs_of_one_that_dies_go_elsewhere(
    runs: Runs, cluster: RayNodes
) -> None:
    first = cluster.add(num_cpus=2, resources={"here": 1})
    executor = runs.executor(resources={"here": 1})
    assert executor.slots == ["ray 1"]
    one, two = runs.waiting_script("one"), runs.waiting_script("two")
    executor.start(one.path, "ray 1", 1)
    begun(executor, one)
    executor.start(two.path, "ray 2", 1)
    until(lambda: ended(executor) or executor.waiting(two.path))
    assert "it needs 1 CPU and 1 here" in (executor.waiting(two.path) or "")
    second = cluster.add(num_cpus=2, resources={"here": 2})
    begun(executor, two)
    until(lambda: ended(executor) or executor.waiting(two.path) is None)
    until(lambda: ended(executor) or len(executor.slots) == 3)
    cluster.kill(first)
    (lost,) = ends(executor)
    assert (lost.directory.name, lost.status, lost.signal) == ("one", None, None)
    assert lost.lost == "its process on the Ray cluster has died, with its node"
    one.lock.announce(2)
    executor.start(one.path, "ray 1", 2)
    for directory in (one, two):
        (directory.path / "go").touch()
    assert [end.status for end in ends(executor, 2)] == [Exit.DONE] * 2
    cluster.kill(second)


@pytest.mark.nightly
def test_without_a_shared_disk_a_run_continues_on_another_node_from_its_checkpoint(
    runs: Runs, cluster: RayNodes, content: dict[str, Any], tmp_path: Path
) -> None:
    disks = [tmp_path / "disk-1", tmp_path / "disk-2"]
    first = cluster.add(num_cpus=1, resources={"own": 1}, env_vars={"DISK": str(disks[0])})
    executor = runs.executor(
        resources={"own": 1}, node_folder="$DISK", needs_torch=True, preload=["gpt"]
    )
    content["baseline"]["train"]["tokens"] = 16 * 8 * 1_000_000
    recipe = make_plan(parse_study(content, "s.toml"), "s.toml").arms[0].spec.recipe
    run = RunDirectory(runs.folder / "run")
    run.write_request(Request(recipe=recipe, execution=Execution(checkpoint_seconds=1)))
    run.lock.announce(1)
    executor.start(run.path, "ray 1", 1)
    until(lambda: ended(executor) or list(run.path.glob("checkpoints/step-*/*")))
    assert disks[0].is_dir()
    cluster.kill(first)
    assert ends(executor)[0].lost
    second = cluster.add(num_cpus=1, resources={"own": 1}, env_vars={"DISK": str(disks[1])})
    run.lock.announce(2)
    executor.start(run.path, "ray 1", 2)
    steps = max(event.step for event in run.read_events())
    until(lambda: ended(executor) or run.read_events()[-1].step > steps)
    executor.stop(run.path)
    assert ends(executor)[0].status == Exit.STOPPED
    assert run.read_events()[0].step <= steps  # it has not begun anew
    assert (disks[1] / "runs").is_dir()
    until(lambda: not (disks[1] / "runs" / "run").exists())
    cluster.kill(second)


def test_a_cluster_of_another_version_is_refused_in_a_sentence(
    runs: Runs, cluster: RayNodes
) -> None:
    cluster.pretend(ray_version="1.0.0")
    try:
        with pytest.raises(ExecutionError, match=r"cannot be used: .*Ray: 1\.0\.0"):
            runs.executor()
    finally:
        cluster.pretend()


@pytest.mark.nightly
def test_runs_share_a_gpu_or_have_several(
    runs: Runs, cluster: RayNodes, content: dict[str, Any]
) -> None:
    node = cluster.add(num_cpus=4, num_gpus=2)
    content["jobs"] = {
        "executor": "ray",
        "gpus_per_run": 0.5,
        "ray": {"address": cluster.address},
    }
    assert len(slots_for(parse_study(content, "s.toml"))) == 4, "for the plan"
    seen = (
        "import os, sys\n"
        "told = [os.environ.get(name) for name in ('CUDA_VISIBLE_DEVICES', 'SWEEP_GPU_SHARE')]\n"
        "print(*told, file=sys.stderr)\n"
    )
    shared = runs.executor(gpus_per_run=0.5)
    until(lambda: shared.wait(0.1) or len(shared.slots) == 4)
    four = [runs.script(f"shared-{number}", seen + WAIT + WRITE) for number in range(4)]
    for directory in four:
        shared.start(directory.path, "ray 1", 1)
    begun(shared, *four)
    devices = sorted(directory.log.read_text().split()[0] for directory in four)
    assert devices == ["0", "0", "1", "1"]
    assert {directory.log.read_text().split()[1] for directory in four} == {"0.5"}
    for directory in four:
        (directory.path / "go").touch()
    assert [end.status for end in ends(shared, 4)] == [Exit.DONE] * 4
    shared.close()
    both = runs.executor(gpus_per_run=2)
    run = runs.script("both", seen + WRITE)
    both.start(run.path, "ray 1", 1)
    ends(both)
    assert sorted(run.log.read_text().split()[0].split(",")) == ["0", "1"]
    with pytest.raises(ExecutionError, match="a run needs 3 GPUs and 1 CPU on one node, and no"):
        runs.executor(gpus_per_run=3)
    cluster.stop(node)  # Ray lists the GPUs of one that was killed for a while
