"""Fork servers that end before they are ready."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from sweep.errors import RunnerLostError
from sweep.executors.fork_server import Server
from sweep.executors.local import MAX_RESTARTS, LocalExecutor

KILLED = "import os; os.kill(os.getpid(), 9)"
BROKEN = "raise SystemExit(3)"
READY = "import sys; print('{\"ready\": true}', flush=True); sys.stdin.read()"


class Servers:
    """Starts a server for each of some Python programs, in order."""

    def __init__(self, *programs: str) -> None:
        self._programs: Iterator[str] = iter(programs)
        self.started = 0

    def start(self) -> Server:
        self.started += 1
        return Server((sys.executable, "-c", next(self._programs)))


def test_a_server_that_is_killed_before_it_is_ready_is_replaced() -> None:
    servers = Servers(*[KILLED] * MAX_RESTARTS, READY)
    executor = LocalExecutor([], servers.start)
    executor.prepare()
    executor.close()
    assert servers.started == MAX_RESTARTS + 1


def test_the_executor_gives_up_if_every_server_is_killed() -> None:
    executor = LocalExecutor([], Servers(*[KILLED] * (MAX_RESTARTS + 1)).start)
    with pytest.raises(RunnerLostError, match=rf"status -9\), {MAX_RESTARTS + 1} times in a row"):
        executor.prepare()


def test_a_server_that_exits_before_it_is_ready_is_not_restarted() -> None:
    servers = Servers(BROKEN, READY)
    executor = LocalExecutor([], servers.start)
    with pytest.raises(RunnerLostError, match=r"status 3\); what it printed is above"):
        executor.prepare()
    assert servers.started == 1
