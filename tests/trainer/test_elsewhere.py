"""A machine without what Linux has: no /proc, cgroups, pidfd, affinity or lock table, and no fork."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.without_linux import WITHOUT_LINUX
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit

MakeRun = Callable[..., RunDirectory]
Attempt = Callable[..., int]

SERVER = f"""{WITHOUT_LINUX}
from trainer.processes import ranks, start_method
from trainer.rundir import lock_holder
for module in (ranks, lock_holder):
    module.sys = type("sys", (), {{"platform": "darwin", "stderr": module.sys.stderr}})
start_method.SPAWNS = True
from trainer.processes.forkserver import main
main()
"""
"""A fork server on such a machine. Its children run the same text, so that they lack the same."""


class Client:
    """Asks that server to train a run."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def say(self, **message: Any) -> None:  # noqa: ANN401  (JSON)
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def start(self, run: RunDirectory) -> int:
        """Start a run; returns its process id."""
        place = {"attempt": 1, "device": "cpu", "threads": 1, "environment": {}}
        self.say(start=str(run.path), **place)
        return int(self.read("started")["pid"])

    def read(self, kind: str) -> dict[str, Any]:
        assert self._process.stdout
        message: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert kind in message
        return message


@contextmanager
def server(root: Path) -> Iterator[Client]:
    command = [sys.executable, "-c", SERVER, str(os.getpid())]
    with subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        client = Client(process)
        client.read("ready")
        yield client


@pytest.mark.nightly
def test_a_spawned_run_ends_with_the_same_bits_as_a_forked_one(
    root: Path, make_run: MakeRun, attempt: Attempt
) -> None:
    spawned, forked = make_run("spawned"), make_run("forked")
    with server(root) as client:
        client.start(spawned)
        ended = client.read("ended")
    assert (ended["status"], ended["signal"]) == (Exit.DONE, None), spawned.last_log_line()
    assert ended["peak_bytes"] > 0
    assert attempt(forked) == Exit.DONE
    one, other = spawned.read_result(), forked.read_result()
    assert one
    assert other
    assert one.chunk_losses == other.chunk_losses


@pytest.mark.slow
def test_a_stop_that_comes_before_a_spawned_run_has_begun_is_not_lost(
    root: Path, make_run: MakeRun
) -> None:
    run = make_run("run")
    with server(root) as client:
        pid = client.start(run)
        client.say(signal=str(run.path), number=int(signal.SIGTERM))
        ended = client.read("ended")
    assert pid != os.getpid()
    assert (ended["status"], ended["signal"]) == (Exit.STOPPED, None), run.last_log_line()
    assert run.read_result() is None
