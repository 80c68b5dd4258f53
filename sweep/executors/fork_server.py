"""The fork server as a process of ours, and the conversation with it."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

FORK_SERVER = ("-P", "-m", "trainer.processes.forkserver")
"""-P: a folder called `trainer` where the user stands must not be taken for ours."""


class Server:
    """See `trainer.processes.forkserver` for the other end. It starts importing torch at once."""

    def __init__(self, words: Sequence[str] = FORK_SERVER) -> None:
        """`words`: what Python is given to be one; a benchmark has one that trains nothing."""
        self._buffer = b""
        # A session of its own: a Ctrl-C at the terminal is for the scheduler alone to answer.
        self._process = subprocess.Popen(  # noqa: S603  (no shell, and nothing of a study's)
            [sys.executable, *words, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin  # noqa: S101  (for the type checker: both are pipes)
        assert self._process.stdout  # noqa: S101
        self._input, self._output = self._process.stdin, self._process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._output, selectors.EVENT_READ)

    def say(self, message: dict[str, Any]) -> None:
        """Send a message; one to a server that has ended is lost, as `listen` tells."""
        if self._input.closed:
            return
        with contextlib.suppress(BrokenPipeError):
            os.write(self._input.fileno(), (json.dumps(message) + "\n").encode())

    def listen(self, seconds: float | None) -> list[dict[str, Any]] | None:
        """What it has said, waiting up to `seconds` for it; None once it has ended."""
        if not self._selector.select(seconds):
            return []
        received = os.read(self._output.fileno(), 65_536)
        if not received:
            return None
        *lines, self._buffer = (self._buffer + received).split(b"\n")
        return [json.loads(line) for line in lines]

    def kill(self) -> None:
        """End it, and with it all that it has forked."""
        self._process.kill()

    def close(self) -> int:
        """Let it end what it has forked, and itself; its exit status."""
        self._input.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._output.close()
        self._selector.close()
        return self._process.wait()
