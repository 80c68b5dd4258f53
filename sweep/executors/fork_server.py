"""Start the fork server as a child process and exchange messages with it."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
from collections.abc import Sequence
from typing import Any

from sweep.bootstrap import command as own_command

MODULE = "trainer.processes.forkserver"
PRELOAD_GPT = ("gpt",)
"""Stands for all that the built-in trainer imports, torch first of all."""


def start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the process of a server, which is told who its client is."""
    # In its own session, so that a Ctrl-C at the terminal reaches only the scheduler.
    return subprocess.Popen(  # noqa: S603  (no shell, and no text from a study)
        [*command, str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


class Server:
    """A fork server; see `trainer.processes.forkserver`. It imports modules as soon as it is made."""

    def __init__(
        self, command: Sequence[str] | None = None, preload: Sequence[str] = PRELOAD_GPT
    ) -> None:
        """Start it; `preload`: the modules that it imports before the first run.

        Benchmarks and tests give the command of a server that trains nothing.
        """
        self._buffer = b""
        self._process = start(command or [*own_command(MODULE), *preload])
        assert self._process.stdin  # noqa: S101  (for the type checker: both are pipes)
        assert self._process.stdout  # noqa: S101
        self._input, self._output = self._process.stdin, self._process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._output, selectors.EVENT_READ)

    def send(self, message: dict[str, Any]) -> None:
        """Send a message. It is lost if the server has ended, which `receive` reports."""
        if self._input.closed:
            return
        with contextlib.suppress(BrokenPipeError):
            os.write(self._input.fileno(), (json.dumps(message) + "\n").encode())

    def receive(self, seconds: float | None) -> list[dict[str, Any]] | None:
        """Return its messages, after waiting up to `seconds` for one; None if it has ended."""
        if not self._selector.select(seconds):
            return []
        received = os.read(self._output.fileno(), 65_536)
        if not received:
            return None
        *lines, self._buffer = (self._buffer + received).split(b"\n")
        return [json.loads(line) for line in lines]

    def kill(self) -> None:
        """Kill it and all processes that it has forked."""
        self._process.kill()

    def close(self) -> int:
        """Let it end its runs and itself; returns its exit status."""
        self._input.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._output.close()
        self._selector.close()
        return self._process.wait()
