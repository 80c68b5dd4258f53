"""Counts the runs that a Ray cluster has room for, in a process of its own: see `bridge`."""

from __future__ import annotations

import os
import subprocess
import sys

from sweep.bootstrap import command
from sweep.executors.ray.places import need_of
from sweep.executors.ray.settings import RaySettings

MODULE = "sweep.executors.ray.count"
COUNT_SECONDS = 60.0
"""Seconds in which a cluster must answer; it is then not known how many runs it has room for."""


def count_places(settings: RaySettings) -> int | None:
    """Return how many runs fit at the same time into what is free; None if that cannot be known."""
    try:
        ended = subprocess.run(  # noqa: S603  (no shell)
            [*command(MODULE), settings.to_json()],
            capture_output=True,
            text=True,
            timeout=COUNT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = ended.stdout.split()  # Ray may print, too
    return int(words[-1]) if ended.returncode == 0 and words and words[-1].isdigit() else None


def main() -> None:
    """Print the number; the settings are the last argument."""
    settings = RaySettings.from_json(sys.argv[-1])
    from sweep.executors.ray.connection import ConnectionFailedError, alive_nodes, connect

    try:
        connect(settings)
    except ConnectionFailedError as error:
        sys.exit(str(error))
    nodes = alive_nodes()
    need = need_of(settings, nodes)
    print(need.runs(node.free for node in nodes), flush=True)  # noqa: T201  (the answer)
    os._exit(0)  # Ray's threads may hang when the cluster is gone
