"""Runs on this machine, forked from a server that has imported torch already."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sweep.errors import RunnerLostError
from sweep.executors.base import Ended
from sweep.executors.fork_server import Server
from sweep.executors.slots import Slot

RESTARTS = 3
"""Servers that may end in a row, without a run having ended in between, before it is given up."""
UNHEARD = 10.0
"""Seconds after which a server hangs that has not ended a run which it was told to kill."""


class LocalExecutor:
    """One process per run. A server that ends is replaced, and its runs are given back."""

    def __init__(self, slots: Sequence[Slot], start_server: Callable[[], Server] = Server) -> None:
        self._start_server = start_server
        self._slots = {slot.name: slot for slot in slots}
        self._running: set[Path] = set()
        self._killed: dict[Path, float] = {}
        """When a run was first to be killed."""
        self._lost: list[Ended] = []
        """Runs that have ended with their server; told once there is another."""
        self._deaths = 0
        self._ready = False
        self._server = start_server()

    @property
    def slots(self) -> Sequence[str]:
        return list(self._slots)

    def prepare(self) -> None:
        while not self._ready:
            messages = self._server.listen(None)
            if messages is None:
                self._begin_again()
            else:
                self._ready = any("ready" in message for message in messages)

    def start(self, directory: Path, slot: str, attempt: int) -> None:
        place = self._slots[slot]
        self._running.add(directory.resolve())
        self._server.say(
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
            messages = self._server.listen(max(0.0, deadline - time.monotonic()))
            if messages is None:
                self._begin_again()
            elif not messages:
                return []
            elif ended := self._ends(messages):
                return ended

    def stop(self, directory: Path, *, now: bool = False) -> None:
        path, number = directory.resolve(), signal.SIGKILL if now else signal.SIGTERM
        if path not in self._running:  # it was lost with its server
            return
        self._server.say({"signal": str(path), "number": int(number)})
        if now and time.monotonic() - self._killed.setdefault(path, time.monotonic()) > UNHEARD:
            self._server.kill()

    def close(self) -> None:
        self._server.close()

    def _ends(self, messages: list[dict[str, Any]]) -> list[Ended]:
        """The runs that have ended, by what the server says."""
        ended = [_ended(message) for message in messages if "ended" in message]
        self._deaths = 0 if ended else self._deaths
        if any("ready" in message for message in messages):
            ended += self._lost
            self._lost.clear()
        for each in ended:
            self._running.discard(each.directory)
            self._killed.pop(each.directory, None)
        return ended

    def _begin_again(self) -> None:
        """Raises RunnerLostError when that is of no use, or has been too often."""
        status = self._server.close()
        self._deaths += 1
        never_works = status >= 0 and not self._ready  # nobody killed it: it cannot be imported
        if never_works or self._deaths > RESTARTS:
            raise _gone(status, self._deaths)
        reason = f"the process that runs are forked from has ended (status {status})"
        self._lost += [Ended(directory, None, lost=reason) for directory in self._running]
        self._running.clear()
        self._killed.clear()
        self._server = self._start_server()


def _gone(status: int, times: int = 1) -> RunnerLostError:
    often = f", {times} times in a row" if times > 1 else ""
    return RunnerLostError(
        f"the process that runs are forked from has ended (status {status}){often}; what it "
        "printed is above. `sweep doctor` checks the installation; the same command continues"
    )


def _ended(message: dict[str, Any]) -> Ended:
    return Ended(
        Path(message["ended"]),
        message["status"],
        message["signal"],
        message["peak_bytes"],
        message["out_of_memory"],
    )
