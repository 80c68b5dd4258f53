"""Runs in forked children of the test process: what a test has patched holds there, too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings

from tests.patience import PATIENCE
from trainer.processes.run import train_directory
from trainer.rundir.directory import RunDirectory


class ForkedRun:
    """`train_directory` in a child, with its words in the run's log."""

    def __init__(self, run: RunDirectory, attempt: int | None = None) -> None:
        self.run = run
        self._attempt = attempt
        # As the fork server does: an early SIGTERM waits until the run listens for it.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # pytest-xdist's thread is no harm
            self.pid = os.fork()
        if self.pid == 0:
            self._train()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])

    def _train(self) -> None:
        status = 99
        try:
            os.setsid()
            log = os.open(self.run.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
            status = train_directory(self.run.path, "cpu", 1, self._attempt)
        finally:
            os._exit(status)

    def wait(self, seconds: float = PATIENCE) -> int:
        """The exit status, or the negative number of the signal that ended it."""
        until = time.monotonic() + seconds
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > until:
                os.killpg(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                raise AssertionError(f"no end within {seconds} s; log: {self.log()}")
            time.sleep(0.01)

    def ranks(self) -> list[int]:
        """The processes below it, the first rank first."""
        return sorted(pid for pid, parent in processes() if parent == self.pid)

    def log(self) -> str:
        """All that it printed."""
        return self.run.log.read_text() if self.run.log.exists() else ""


def train(run: RunDirectory) -> int:
    """Train a run directory to its end; the exit status."""
    return ForkedRun(run).wait()


def processes() -> list[tuple[int, int]]:
    """Every living process: its id, and its parent's."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in listing.stdout.splitlines()]
    return [(int(pid), int(parent)) for pid, parent, state in rows if not state.startswith("Z")]


def assert_end(pids: list[int]) -> None:
    """Wait until none of the processes is left."""
    until = time.monotonic() + PATIENCE
    while left := set(pids) & {pid for pid, _ in processes()}:
        assert time.monotonic() < until, f"processes {left} live on"
        time.sleep(0.02)
