"""Train on this machine, in processes forked from a server that has imported torch already."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sweep.errors import RunnerLostError
from sweep.executors.base import Ended, OfThisMachine
from sweep.executors.fork_server import Server
from sweep.executors.mps import MpsDaemon
from sweep.executors.slots import Slot

MAX_RESTARTS = 3
"""Times that the server is restarted while no run ends in between."""
KILL_TIMEOUT = 10.0
"""Seconds in which the server must kill a run. After that it is assumed to hang."""


class LocalExecutor(OfThisMachine):
    """One process per run. If the server ends, it is replaced and its runs are reported as lost."""

    def __init__(
        self,
        slots: Sequence[Slot],
        start_server: Callable[[], Server] = Server,
        daemon: MpsDaemon | None = None,
    ) -> None:
        """`daemon`: the one that the slots need, which is stopped at the end."""
        self._daemon = daemon
        self._start_server = start_server
        self._slots = {slot.name: slot for slot in slots}
        self._running: set[Path] = set()
        self._killed: dict[Path, float] = {}
        """Monotonic time at which a run was first to be killed."""
        self._lost: list[Ended] = []
        """Runs that ended with their server; reported when a new server is ready."""
        self._ends_in_a_row = 0
        self._ready = False
        self._server = start_server()

    @property
    def slots(self) -> Sequence[str]:
        return list(self._slots)

    def prepare(self) -> None:
        while not self._ready:
            messages = self._server.receive(None)
            if messages is None:
                self._restart()
            else:
                self._ready = any("ready" in message for message in messages)

    def start(self, directory: Path, slot: str, attempt: int) -> None:
        place = self._slots[slot]
        self._running.add(directory.resolve())
        self._server.send(
            {
                "start": str(directory.resolve()),
                "attempt": attempt,
                "device": place.device,
                "threads": place.threads,
                "environment": place.environment,
            }
        )

    def wait(self, seconds: float) -> list[Ended]:
        deadline = time.monotonic() + seconds
        while True:
            messages = self._server.receive(max(0.0, deadline - time.monotonic()))
            if messages is None:
                self._restart()
            elif not messages:
                return []
            elif ended := self._ends(messages):
                return ended

    def stop(self, directory: Path, *, now: bool = False) -> None:
        path, number = directory.resolve(), signal.SIGKILL if now else signal.SIGTERM
        if path not in self._running:  # it ended with its server
            return
        self._server.send({"signal": str(path), "number": int(number)})
        if (
            now
            and time.monotonic() - self._killed.setdefault(path, time.monotonic()) > KILL_TIMEOUT
        ):
            self._server.kill()

    def close(self) -> None:
        self._server.close()
        if self._daemon:
            self._daemon.stop()

    def _ends(self, messages: list[dict[str, Any]]) -> list[Ended]:
        """Return the runs that have ended according to the server's messages."""
        ended = [_ended(message) for message in messages if "ended" in message]
        self._ends_in_a_row = 0 if ended else self._ends_in_a_row
        if any("ready" in message for message in messages):
            ended += self._lost
            self._lost.clear()
        for each in ended:
            self._running.discard(each.directory)
            self._killed.pop(each.directory, None)
        return ended

    def _restart(self) -> None:
        """Start a new server. Raises RunnerLostError if it cannot work, or has ended too often."""
        status = self._server.close()
        self._ends_in_a_row += 1
        never_works = status >= 0 and not self._ready  # it was not killed: its imports fail
        if never_works or self._ends_in_a_row > MAX_RESTARTS:
            raise _server_lost(status, self._ends_in_a_row)
        reason = f"the process that runs are forked from has ended (status {status})"
        self._lost += [Ended(directory, None, lost=reason) for directory in self._running]
        self._running.clear()
        self._killed.clear()
        self._server = self._start_server()


def _server_lost(status: int, times: int = 1) -> RunnerLostError:
    often = f", {times} times in a row" if times > 1 else ""
    return RunnerLostError(
        f"the process that runs are forked from has ended (status {status}){often}; what it "
        "printed is above. `sweep doctor` checks the installation; the same command continues"
    )


def _ended(message: dict[str, Any]) -> Ended:
    names = ("status", "signal", "peak_bytes", "out_of_memory")
    return Ended(Path(message["ended"]), **{name: message[name] for name in names})
