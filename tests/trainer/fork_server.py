"""A fork server in a real process, and the conversation with it."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shlex
import subprocess
from pathlib import Path
from typing import Any

from sweep.bootstrap import command
from tests.patience import PATIENCE


class Server:
    """A fork server in a real process, and the conversation with it."""

    def __init__(self, root: Path, group: Path | None = None, preload: str = "gpt") -> None:
        join = f"echo $$ > {group}/cgroup.procs &&" if group else ""
        self.process = subprocess.Popen(
            [
                "sh",
                "-c",
                f"{join} exec {shlex.join(command('trainer.processes.forkserver'))} {preload} {os.getpid()}",
            ],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._received = b""
        self.read("ready")

    def say(self, *messages: dict[str, Any]) -> None:
        assert self.process.stdin
        self.process.stdin.write(b"".join(json.dumps(m).encode() + b"\n" for m in messages))

    def read(self, kind: str) -> dict[str, Any]:
        """The next message, which must be of `kind`."""
        assert self.process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._received:
                assert selector.select(PATIENCE), f"no {kind!r} within {PATIENCE} s"
                received = os.read(self.process.stdout.fileno(), 65_536)
                assert received, f"the server ended before it said {kind!r}"
                self._received += received
        line, _, self._received = self._received.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        assert kind in message, message
        return message

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self.process.kill()
        self.process.wait()
