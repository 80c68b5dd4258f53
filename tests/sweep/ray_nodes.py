"""A real Ray cluster on this machine: a head and further nodes, each with its own processes.

The class starts this file as a program, which takes commands on its input.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

HAS_RAY = importlib.util.find_spec("ray") is not None
WHY_NOT = "Ray is not installed: pip install -e '.[ray]'"
OBJECT_STORE = 80_000_000
"""Bytes of shared memory of a node; Ray's minimum is 75 MB."""


class RayNodes:
    """A cluster whose nodes can be added and killed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.address = self._answer()["address"]

    def add(self, **options: object) -> int:
        """Add a node; returns its number. `options`: those of Ray's `Cluster.add_node`."""
        return int(self._ask({"add": options})["node"])

    def kill(self, node: int) -> None:
        """Kill all processes of a node, as when its machine loses power."""
        self._ask({"kill": node})

    def stop(self, node: int) -> None:
        """Stop a node in order; the cluster has forgotten it then."""
        self._ask({"stop": node})

    def pretend(self, **metadata: str) -> None:
        """Let the cluster say that it has other versions; without any, the real ones again."""
        self._ask({"pretend": metadata})

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise AssertionError("the program of the Ray cluster has ended")


@contextmanager
def ray_nodes(log: Path) -> Iterator[RayNodes]:
    """Start a cluster of a head without a place for runs, and end it afterwards."""
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
        )
    try:
        yield RayNodes(process)
    finally:
        process.communicate()  # the end of its input ends it


def main() -> None:
    """Start a head, and obey."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415  (only this program needs Ray)

    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": OBJECT_STORE}
    cluster = patiently(lambda: Cluster(initialize_head=True, head_node_args=head))
    print(json.dumps({"address": cluster.address}), flush=True)  # noqa: T201  (the answer)
    nodes = []
    for line in sys.stdin:
        command = json.loads(line)
        if "add" in command:
            options = {"object_store_memory": OBJECT_STORE, **command["add"]}
            nodes.append(patiently(partial(cluster.add_node, **options)))
        elif "pretend" in command:
            _pretend(cluster.address, command["pretend"])
        elif "stop" in command:
            cluster.remove_node(nodes[command["stop"]], allow_graceful=True)
            cluster.wait_for_nodes(timeout=900)
        else:
            cluster.remove_node(nodes[command["kill"]], allow_graceful=False)
        print(json.dumps({"node": len(nodes) - 1}), flush=True)  # noqa: T201  (the answer)
    cluster.shutdown()


def patiently(start: Callable[[], Any]) -> Any:  # noqa: ANN401  (what Ray has started)
    """Start something of Ray's again if the machine was too busy: Ray allows it 30 s."""
    deadline = time.monotonic() + 900
    while True:
        try:
            return start()
        except Exception:  # Ray raises no narrower one
            if time.monotonic() > deadline:
                raise


def _pretend(address: str, metadata: dict[str, str]) -> None:
    """Change what the cluster tells of itself, where Ray keeps it."""
    import ray  # noqa: PLC0415  (only this program needs Ray)
    from ray._raylet import GcsClient  # noqa: PLC0415  (only this program needs Ray)

    real = {"ray_version": ray.__version__, "python_version": platform.python_version()}
    client = GcsClient(address=address)
    told = json.dumps(real | metadata).encode()
    client.internal_kv_put(b"CLUSTER_METADATA", told, True, b"cluster")


if __name__ == "__main__":
    main()
