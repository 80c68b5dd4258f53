"""Run a command in a run directory: start it, read its output, stop it, and leave nothing of it.

The process that does so is the parent of the command and a subreaper (`trainer.scripts.descendants`).
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator

from trainer.errors import RunTakenError
from trainer.rundir.directory import RunDirectory
from trainer.scripts import descendants
from trainer.scripts.others import OtherNodes
from trainer.scripts.outcome import Measurements
from trainer.scripts.output import MetricReader
from trainer.scripts.output_log import Output
from trainer.scripts.processes import Command

GRACE_SECONDS = 1.0
"""Seconds in which output may still come from what a script has left running."""
CHECK_SECONDS = 1.0
"""Seconds between two heartbeats, and between two looks at the files of a script."""
READ_BYTES = 2**18


class ParentGoneError(Exception):
    """The process that started this one has ended."""


class Supervisor:
    """Follows a command until it and all that it started have ended."""

    def __init__(
        self,
        directory: RunDirectory,
        measured: Measurements,
        log: Output,
        stop: Callable[[], bool],
        others: OtherNodes | None = None,
    ) -> None:
        """`others`: the other nodes of a run, as its first one sees them."""
        self._directory = directory
        self._measured = measured
        self._log = log
        self._stop = stop
        self.others = others
        self._reader = MetricReader(measured.request.metrics, measured.curves)
        self._is_alive = True
        """True if there was a sign of life since the last heartbeat."""
        self._checked = time.monotonic()
        self.stopped = False
        """True if the command was asked to stop while it ran."""
        self.failed_elsewhere = False
        """True if the command was killed, because it had failed on another node."""
        self.left_running = 0
        """Number of processes that the command left behind; they were killed."""

    def run(self, start: Callable[[], Command]) -> int:
        """Start a command and follow it; returns its exit status, or its signal as a negative number.

        Raises RunTakenError if a later attempt has replaced this one.
        """
        present = descendants.children() if descendants.has_children() else set()
        with _wakeups() as wakeups, descendants.parent_watched() as parent_is_gone:
            command = start()
            try:
                self._follow(command, wakeups, parent_is_gone)
                self.left_running = descendants.kill_descendants(present)
                self._read_rest(command)
            finally:
                descendants.kill_descendants(present)
                command.close()
        return command.status or 0

    def _follow(self, command: Command, wakeups: int, parent_is_gone: Callable[[], bool]) -> None:
        """Read output until the command has ended, and its output too or `GRACE_SECONDS` later."""
        until = float("inf")
        with selectors.DefaultSelector() as selector:
            selector.register(command.output, selectors.EVENT_READ)
            selector.register(wakeups, selectors.EVENT_READ)
            while command.status is None or (not command.at_end and time.monotonic() < until):
                left = until - time.monotonic()
                for key, _ in selector.select(max(0.0, min(CHECK_SECONDS, left))):
                    if key.fd == wakeups:
                        os.read(wakeups, READ_BYTES)
                    elif not self._read(command):
                        selector.unregister(command.output)
                if parent_is_gone():
                    raise ParentGoneError
                self._check_stop(command)
                self._check(command)
                if command.poll() is not None and until == float("inf"):
                    until = time.monotonic() + GRACE_SECONDS

    def _read(self, command: Command) -> bool:
        """Read a block of output; False at its end."""
        block = command.read(READ_BYTES)
        if block:
            self._is_alive = True
            self._log.write(block)
            self._reader.read(block)
            self._measured.curves.flush()
        return bool(block)

    def _read_rest(self, command: Command) -> None:
        """Read what the pipe still holds; nothing writes to it any more."""
        command.stop_waiting()
        while not command.at_end and self._read(command):
            pass
        self._reader.close()

    def _check_stop(self, command: Command) -> None:
        if self._is_asked_to_stop() and not self.stopped and command.poll() is None:
            self.stopped = True
            command.send(signal.SIGTERM)
            command.send(signal.SIGCONT)  # a suspended process handles no other signal
            if self.others:
                self.others.stop()

    def _is_asked_to_stop(self) -> bool:
        return self._stop() or (self.others is not None and self.others.have_stopped())

    def _check(self, command: Command) -> None:
        """Once per `CHECK_SECONDS`: read files, give a heartbeat if the script has done something."""
        if time.monotonic() < self._checked + CHECK_SECONDS:
            return
        if self._measured.read_files() or self._is_alive:
            self._directory.lock.beat()
            self._measured.curves.flush()
        self._is_alive = False
        self._checked = time.monotonic()
        if self._directory.lock.find_later_attempt():
            raise RunTakenError("a later attempt has replaced this one")
        failed = self.others is not None and self.others.have_failed()
        if failed and not self.stopped and command.poll() is None:
            self.failed_elsewhere = True
            command.send(signal.SIGKILL)


@contextlib.contextmanager
def _wakeups() -> Iterator[int]:
    """A descriptor that can be read after a signal has arrived, such as that of a child's end."""
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    handler = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(before)
        signal.signal(signal.SIGCHLD, handler)
        os.close(reading)
        os.close(writing)
