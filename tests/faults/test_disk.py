"""A study on a disk that is cleared, or full, while it goes on."""

from __future__ import annotations

import io
import signal
import time
from collections.abc import Callable

from rich.console import Console

from benchmarks.monkey import differences
from sweep.commands.gc import ON_REQUEST, GcRequest, gc
from sweep.workspace import Workspace
from tests.faults.terminal import Terminal, end, send, steps, trainers, wait_for

Open = Callable[..., Terminal]


def free_all(terminal: Terminal) -> str:
    """What `sweep gc --weights --corpora --unknown` says; in this process, so that it is quick."""
    said = io.StringIO()
    request = GcRequest(kinds=frozenset(ON_REQUEST))
    assert gc(Workspace(terminal.folder / "runs"), request, Console(file=said, width=500)) == 0
    return said.getvalue()


def test_what_is_freed_while_a_study_runs_and_one_run_is_killed_changes_none_of_its_losses(
    open_terminal: Open, peace: Terminal
) -> None:
    terminal = open_terminal()
    run = terminal.run("baseline")
    command = terminal.start("run", "s.toml", "--slots", "1")
    wait_for(lambda: run.checkpoints.exists() and steps(run) >= 20, command)
    send(trainers(run)[0], signal.SIGKILL)
    said = ""
    while command.poll() is None:
        said += free_all(terminal)
        time.sleep(0.05)
    assert "3/3" in end(command)
    assert "weights of finished runs" in said
    assert differences(terminal.folder, peace.folder) == []
    outcomes = terminal.rows("SELECT outcome, COUNT(*) FROM attempts GROUP BY 1 ORDER BY 1")
    assert outcomes == [("done", 3), ("failed", 1)]
