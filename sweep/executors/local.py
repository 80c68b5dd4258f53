"""Runs on this machine, forked from a server that has imported torch already."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sweep.errors import RunnerLostError
from sweep.executors.base import Ended
from sweep.slots import Slot


class LocalExecutor:
    """One process per run; see `trainer.forkserver` for the other end of the conversation.

    The server starts importing torch at once, beside whatever its owner does next.
    """

    def __init__(self, slots: Sequence[Slot]) -> None:
        self._slots = {slot.name: slot for slot in slots}
        self._buffer = b""
        self._ready = False
        # A session of its own: a Ctrl-C at the terminal is for the scheduler alone to answer.
        self._server = subprocess.Popen(  # noqa: S603  (no shell, and nothing of a study's)
            # -P: a folder called `trainer` where the user stands must not be taken for ours.
            [sys.executable, "-P", "-m", "trainer.forkserver", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._server.stdout is not None  # noqa: S101  (for the type checker: it is a pipe)
        self._output = self._server.stdout.fileno()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._output, selectors.EVENT_READ)

    @property
    def slots(self) -> Sequence[str]:
        return list(self._slots)

    def prepare(self) -> None:
        while not self._ready:
            self._ready = any("ready" in message for message in self._listen())

    def start(self, directory: Path, slot: str, attempt: int) -> None:
        place = self._slots[slot]
        self._say(
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
            remaining = max(0.0, deadline - time.monotonic())
            if not self._selector.select(remaining):
                return []
            ended = [_ended(message) for message in self._listen() if "ended" in message]
            if ended:
                return ended

    def stop(self, directory: Path, *, now: bool = False) -> None:
        number = signal.SIGKILL if now else signal.SIGTERM
        self._say({"signal": str(directory.resolve()), "number": int(number)})

    def close(self) -> None:
        if self._server.stdin is not None:
            self._server.stdin.close()
        try:
            self._server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        if self._server.stdout is not None:
            self._server.stdout.close()
        self._selector.close()

    def _say(self, message: dict[str, Any]) -> None:
        if self._server.stdin is None:
            return
        try:
            os.write(self._server.stdin.fileno(), (json.dumps(message) + "\n").encode())
        except BrokenPipeError as error:
            raise self._gone() from error

    def _listen(self) -> list[dict[str, Any]]:
        received = os.read(self._output, 65_536)
        if not received:
            raise self._gone()
        *lines, self._buffer = (self._buffer + received).split(b"\n")
        return [json.loads(line) for line in lines]

    def _gone(self) -> RunnerLostError:
        status = self._server.wait()
        return RunnerLostError(
            f"the process that runs are forked from has ended (status {status}); what it printed "
            "is above. `sweep doctor` checks the installation; the same command continues"
        )


def _ended(message: dict[str, Any]) -> Ended:
    return Ended(
        Path(message["ended"]),
        message["status"],
        message["signal"],
        message["peak_bytes"],
        message["out_of_memory"],
    )
