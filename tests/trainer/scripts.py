"""Scripts of users, started by a real fork server, and the processes that they leave."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE
from tests.trainer.fork_server import Server
from trainer.files import write_json
from trainer.rundir.directory import Result, RunDirectory
from trainer.scripts.environment import RUN_DIR, outputs_of
from trainer.scripts.group import NodeGroup
from trainer.scripts.request import ScriptRequest

VAL_LOSS = {"val_loss": {"regex": r"val loss (?P<value>[0-9.]+)"}}


class Script:
    """A Python script in a run directory of its own."""

    def __init__(self, server: Server, place: Path, source: str = "", **request: Any) -> None:  # noqa: ANN401  (fields of a request)
        self.server = server
        self.folder = place
        self.directory = RunDirectory(place / "run")
        self.outputs = outputs_of(self.directory)
        self.attempt = 0
        self.group: NodeGroup | None = None
        """This node, if the run has several."""
        self.directory.path.mkdir(parents=True)
        file = place / "script.py"
        file.write_text(textwrap.dedent(source))
        fields = {
            "command": [sys.executable, "script.py"],
            "folder": str(place),
            "metrics": VAL_LOSS,
            "primary": "val_loss",
            "seeds": {"seed": 3},
            **request,
        }
        made = ScriptRequest.model_validate(fields)
        write_json(
            self.directory.script,
            made.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        )

    def start(self, **environment: str) -> int:
        """Start the next attempt; returns the process id of its supervisor."""
        self.attempt += 1
        self.directory.lock.announce(self.attempt)
        self.server.say(
            {
                "start": str(self.directory.path),
                "attempt": self.attempt,
                "device": "cpu",
                "threads": 1,
                "environment": environment,
                "group": self.group and self.group.model_dump(),
            }
        )
        return int(self.server.read("started")["pid"])

    def signal(self, number: int) -> None:
        """Send a signal to the run, as a scheduler does."""
        self.server.say({"signal": str(self.directory.path), "number": number})

    def end(self) -> dict[str, Any]:
        """Wait for the end of the attempt."""
        return self.server.read("ended")

    def run(self, **environment: str) -> dict[str, Any]:
        """Start the next attempt, and wait for its end."""
        self.start(**environment)
        return self.end()

    @property
    def result(self) -> Result:
        """The result, which must be there."""
        found = self.directory.read_result()
        assert found, self.reason
        return found

    @property
    def reason(self) -> str:
        """The last line of the log."""
        return self.directory.last_log_line()

    @property
    def log(self) -> str:
        return self.directory.log.read_text(errors="replace")

    def curve(self, name: str = "val_loss") -> dict[int, float]:
        """The values of a metric by step."""
        events = self.directory.read_events()
        return {event.step: event.metrics[name] for event in events if name in event.metrics}

    def wait_for(self, file: str) -> Path:
        """Wait until the script has written a file into its folder of outputs."""
        path = self.outputs.folder / file
        wait_until(path.exists, f"{path} to appear")
        return path

    def processes(self) -> list[int]:
        """The processes of this run, as /proc shows them."""
        return processes_of(self.outputs.folder)


def processes_of(folder: Path) -> list[int]:
    """Processes that live, and whose environment names a folder of outputs."""
    mark = f"{RUN_DIR}={folder}".encode()
    found = []
    for path in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if path.name.isdecimal() and mark in (path / "environ").read_bytes().split(b"\0"):
                found.append(int(path.name))
    return found


def wait_until(condition: Any, awaited: str) -> None:  # noqa: ANN401  (a function)
    """Wait until a function returns something true."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, f"waited for {awaited}"
        time.sleep(0.01)


MakeScript = Callable[..., Script]
"""Makes a script from its source, and fields of its request."""


@contextlib.contextmanager
def script_server(root: Path) -> Iterator[Server]:
    """A fork server that imports nothing for its runs."""
    server = Server(root, preload="")
    try:
        yield server
    finally:
        server.close()


def numbers(path: Path) -> Any:  # noqa: ANN401  (any JSON value)
    """The content of a JSON file."""
    return json.loads(path.read_text())


SIGTERM, SIGKILL = int(signal.SIGTERM), int(signal.SIGKILL)
