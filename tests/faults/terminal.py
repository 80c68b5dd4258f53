"""Real commands in a folder with a study, and functions that watch their processes and files."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.monkey import read, small_study
from benchmarks.processes import PATIENCE, processes, trained_by
from sweep.store.ledger import directory_name
from sweep.workload.workload import make_workload
from sweep.workspace import read_plan
from tests.forked_command import ForkedCommand
from tests.zygote import Zygote
from trainer.rundir.directory import RunDirectory

STEPS = 199
"""The most steps of which each has its own point of the curve."""
CORPUS = '\n[baseline.data]\ncorpus = "text.txt"\n'
TEXT = "".join(f"{number} is {number * number} times one.\n" for number in range(8000))
NO_PAUSES = "checkpoint_seconds = 0.1\nretry_seconds = 0\n"
"""Settings of `[jobs]`: early checkpoints, and no pause before a retry."""


class Terminal:
    """Runs commands in a folder with a study `s.toml` of three arms."""

    def __init__(
        self, zygote: Zygote, folder: Path, jobs: str = "", *, steps: int = STEPS, seeds: int = 1
    ) -> None:
        self.zygote, self.folder = zygote, folder
        self.started: list[ForkedCommand] = []
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "text.txt").write_text(TEXT)
        (folder / "s.toml").write_text(small_study(steps, seeds, jobs) + CORPUS)

    def start(self, *words: str, **constants: float) -> ForkedCommand:
        """Start a command; `sweep__queue__leases__LEASE_SECONDS=2` changes that constant in it."""
        command = self.zygote.start(
            words,
            self.folder,
            {**os.environ, "COLUMNS": "200"},
            merged=True,
            constants={name.replace("__", "."): value for name, value in constants.items()},
        )
        self.started.append(command)
        return command

    def sweep(self, *words: str, status: int = 0) -> str:
        """Run a command that must end with `status`; returns its output."""
        return end(self.start(*words), status)

    def close(self) -> None:
        """Kill all commands and their child processes."""
        for process in self.started:
            below = [pid for pid, parent, _ in processes() if parent == process.pid]
            process.kill()
            process.communicate()
            for pid in below:  # a suspended one does not notice the end of its parent
                send(pid, signal.SIGKILL)

    def run(self, arm: str, seed: int = 1) -> RunDirectory:
        """Return the directory of a run, which may not exist yet."""
        plan = read_plan(self.folder / "s.toml")
        found = make_workload(plan, self.folder / "runs" / "cache").jobs()[arm, seed]
        return RunDirectory(self.folder / "runs" / directory_name(found.run_id))

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Query the database."""
        return read(self.folder, query)

    def attempts(self, run: RunDirectory) -> list[tuple[object, ...]]:
        """Return outcome and reason of each attempt at a run."""
        query = "SELECT outcome, reason FROM attempts WHERE run_id LIKE '{}%' ORDER BY number"
        return self.rows(query.format(run.path.name))


def end(process: ForkedCommand, status: int = 0) -> str:
    """Wait for a command that must end with `status`; returns its output."""
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == status, out
    return out


def wait_for(condition: Callable[[], object], command: ForkedCommand | None = None) -> None:
    """Wait until a condition is true. The test fails if the command ends before."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        if command and command.poll() is not None and not condition():
            raise AssertionError(command.communicate()[0])
        time.sleep(0.01)


def steps(run: RunDirectory) -> int:
    """Return how many steps a run has taken, according to its events."""
    events = run.read_events()
    return events[-1].step if events else 0


def trainers(*runs: RunDirectory) -> list[int]:
    """Return the processes that hold the locks of some runs, without fork servers."""
    wanted = {run.path.resolve() for run in runs}
    return [pid for pid, *_ in processes() if trained_by(pid) in wanted]


def send(pid: int, number: int) -> None:
    """Send a signal to a process, which may have ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def server_of(command: ForkedCommand) -> Sequence[int]:
    """Return the fork server of a command, if it has one."""
    return [
        pid
        for pid, parent, words in processes()
        if parent == command.pid and "trainer.processes.forkserver" in words
    ]
