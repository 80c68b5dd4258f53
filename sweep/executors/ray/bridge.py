"""A process of ours that is a driver of a Ray cluster, and exchanges lines of JSON with the scheduler.

Ray ends a process whose cluster is gone, prints to its terminal, and retries for minutes. In a
process of its own it can do neither to the scheduler. The scheduler starts this one with its
settings, and ends it by `close`, which ends its actors too. If the scheduler is killed, so is this
process, but not its actors: runs go on, and the next scheduler adopts them.

Its input are `Call`s, its output `Report`s (`sweep.executors.ray.messages`).
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sweep.executors.ray.messages import Call, Report
from sweep.executors.ray.settings import RaySettings
from trainer.processes.ranks import die_with_parent

LOG = "ray.log"
"""In the folder of runs: what Ray prints in this process."""

Send = Callable[[Report], None]


def main() -> None:
    """Serve the scheduler: settings and its process id are the last two arguments."""
    settings = RaySettings.from_json(sys.argv[-2])
    die_with_parent(int(sys.argv[-1]))
    send = _own_output(Path(settings.folder) / LOG)
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(inbox,), daemon=True).start()
    from sweep.executors.ray.connection import ConnectionFailedError, connect

    try:
        connect(settings)
        from sweep.executors.ray.cluster import Cluster

        Cluster(settings, inbox, send).serve()
    except ConnectionFailedError as error:
        send(Report(kind="error", words=str(error)))
    with contextlib.suppress(BaseException):
        import ray

        ray.shutdown()
    os._exit(0)  # Ray's threads may hang when the cluster is gone


def _own_output(log: Path) -> Send:
    """Keep standard output for the scheduler, and let everything that prints print to the log."""
    output = os.dup(1)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(file, 1)
    os.dup2(file, 2)

    def send(report: Report) -> None:
        os.write(output, (json.dumps(asdict(report)) + "\n").encode())

    return send


def _read(inbox: queue.SimpleQueue[Any]) -> None:
    """Pass on the scheduler's messages; None at their end."""
    for line in sys.stdin:
        inbox.put(Call(**json.loads(line)))
    inbox.put(None)
