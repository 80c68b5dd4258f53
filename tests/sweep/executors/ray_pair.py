"""Two nodes of a Ray cluster for runs on several nodes, and the processes of such a run."""

from __future__ import annotations

import contextlib
from pathlib import Path

from sweep.executors.ray.executor import RayExecutor
from sweep.executors.ray.settings import RaySettings
from tests.patience import wait_until
from tests.sweep.ray_nodes import RayNodes
from trainer.rundir.directory import RunDirectory

NODE = "NODE_OF_TEST"
"""Variable of the processes of a node: its number."""


class Pair:
    """Two nodes, each with room for its part of one run, and those that replace dead ones."""

    def __init__(self, cluster: RayNodes, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._cluster = cluster
        self._alive: list[int] = []
        self._executors: list[RayExecutor] = []
        self.settings = RaySettings(
            address=cluster.address,
            folder=str(folder),
            gpus_per_run=2,
            nodes_per_run=2,
            resources={"pair": 1},
            preload=["gpt"],
        )
        for number in range(2):
            self.add(number)

    def add(self, number: int) -> None:
        """Add a node; `number`: of this cluster's nodes, that it gets if no other was added."""
        options = {"num_cpus": 1, "resources": {"pair": 1}, "env_vars": {NODE: str(number)}}
        self._alive.append(self._cluster.add(**options))

    def kill(self, number: int) -> None:
        self._cluster.kill(self._alive[number])
        self._alive[number] = -1

    def executor(self) -> RayExecutor:
        made = RayExecutor(self.settings)
        self._executors.append(made)
        wait_until(lambda: made.wait(0.1) or made.slots)
        return made

    def close(self) -> None:
        for executor in self._executors:
            executor.close()
        for node in self._alive:
            if node >= 0:
                self._cluster.kill(node)


def processes(run: RunDirectory) -> list[int]:
    """All processes that print to the log of a run, on any node."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (path / "fd" / "1").readlink() == run.log.resolve():
                found.append(int(path.name))
    return found
