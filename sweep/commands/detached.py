"""`sweep run --detach`: train a study in a process that outlives the terminal."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from sweep.bootstrap import command as own_command
from sweep.commands.run import RunRequest
from sweep.errors import ExecutionError
from sweep.queue.presence import is_present
from sweep.store.ledger import study_file
from sweep.terminal.console import say
from sweep.workspace import Workspace, read_plan

FOLDER = "logs"
"""The folder of the outputs, in the folder of runs."""
EARLY_SECONDS = 3.0
"""Seconds in which an end of the process is reported here."""
OPTION = "--detach"


def detach(workspace: Workspace, request: RunRequest, console: Console) -> int:
    """Start the same command in the background; returns the exit status.

    Raises UserError if the study is wrong, so that no mistake is hidden in a file.
    """
    workspace.check_trainable(request.study)
    plan = request.executor.applied_to(read_plan(request.study, request.overrides))
    name = plan.study.name
    if _is_trained(workspace, name):
        say(
            console,
            f"A process trains {name} already, so none was started. `sweep status {name}` shows where it "
            "stands.",
            "yellow",
        )
        return 0
    log = _log_file(workspace, name)
    process = _start(_arguments(sys.argv[1:]), log)
    try:
        status = process.wait(EARLY_SECONDS)
    except subprocess.TimeoutExpired:
        _say_how_to_come_back(name, process.pid, log, console)
        return 0
    say(console, log.read_text(errors="replace").rstrip())
    return status if status >= 0 else 128 - status


def _is_trained(workspace: Workspace, name: str) -> bool:
    store = workspace.open_to_read_if_any()
    return store is not None and is_present(store, name)


def _log_file(workspace: Workspace, name: str) -> Path:
    path = (workspace.folder / FOLDER / study_file(name)).with_suffix(".log")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    except OSError as error:
        raise ExecutionError(
            f"{path} cannot be written ({error.strerror}); it is to hold what the command prints: name "
            "another folder with --runs"
        ) from error
    return path


def _arguments(words: Sequence[str]) -> list[str]:
    """The command line without the option itself."""
    return [word for word in words if word != OPTION]


def _start(arguments: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603  (no shell; the words of this command line)
            [*own_command("sweep.__main__"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _say_how_to_come_back(name: str, pid: int, log: Path, console: Console) -> None:
    say(
        console,
        f"{name} is trained in the background, by process {pid} on {socket.gethostname()}. "
        f"What it prints is in {log}.",
    )
    say(
        console,
        f"`sweep status {name}` shows where it stands, `sweep report {name}` the verdicts so far; "
        f"`sweep pause {name}` stops its runs, `sweep cancel --study {name}` ends them. If the process is "
        "killed, the same command continues.",
    )
