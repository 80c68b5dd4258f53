"""A place for runs on a node of a Ray cluster: forks them from a server and keeps their ends.

It outlives the driver: a run goes on when nothing asks for it, and its end is kept for the next
driver. Without a run and without a driver it ends itself, which frees its GPUs.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sweep.executors.fork_server import Server
from sweep.executors.ray.copies import Known, Update
from sweep.executors.ray.messages import PlaceSettings, PlaceState, RunEnd
from sweep.executors.ray.node_copies import NodeCopies
from trainer.rundir.attempt_end import AttemptEnd, WorkerNote, write_end, write_note
from trainer.rundir.directory import RunDirectory
from trainer.sharing import share_environment

LONELY_SECONDS = 60.0
"""Seconds without a run and without a driver after which the process ends itself."""
LOOK_SECONDS = 1.0
"""Seconds between two looks at whether it is of any use."""


class Node:
    """Runs one run at a time. Safe to use in several threads."""

    def __init__(self, settings: PlaceSettings) -> None:
        self._settings = settings
        self.copies = NodeCopies(settings.folder)
        self._changed = threading.Condition()
        self._server: Server | None = None
        self._running: tuple[str, int] | None = None
        """Directory and attempt."""
        self._ended: RunEnd | None = None
        """The last end that no driver has confirmed."""
        self._contact = time.monotonic()
        # The kernel kills the server when the thread that started it ends: this one never does.
        threading.Thread(target=self._serve, daemon=True).start()
        with self._changed:
            self._changed.wait_for(lambda: self._server is not None)

    def start(self, directory: str, attempt: int, finished: str | None) -> bool:
        """Start a run; `finished`: the one before it whose end the driver knows.

        Returns False if there is another run, or an end that another driver waits for: a scheduler
        that was suspended may come back to a place that a second one has adopted.
        """
        with self._changed:
            self._contact = time.monotonic()
            if self._running or (
                self._ended and self._ended.directory not in {directory, finished}
            ):
                return False
            self._ended = None
            self._running = directory, attempt
        note = WorkerNote(attempt=attempt, host=socket.gethostname(), job=self._settings.job)
        place = self.copies.place_of(directory)
        with contextlib.suppress(OSError):  # it is only shown
            write_note(RunDirectory(place), note)
        self._send(
            {
                "start": str(place),
                "attempt": attempt,
                "device": self._settings.device,
                "threads": self._settings.threads,
                "environment": share_environment(self._settings.share),
            }
        )
        return True

    def signal(self, directory: str, number: int) -> None:
        self._send({"signal": str(self.copies.place_of(directory)), "number": number})

    def wait(self, seconds: float) -> PlaceState:
        with self._changed:
            self._contact = time.monotonic()
            self._changed.wait_for(lambda: self._ended is not None, seconds)
            self._contact = time.monotonic()
            return self.state()

    def read(self, directory: str, known: Known) -> tuple[Update, int | None]:
        """See `NodeCopies.read`. A driver that brings files home is a contact."""
        with self._changed:
            self._contact = time.monotonic()
        return self.copies.read(directory, known)

    def forget(self, directory: str) -> None:
        with self._changed:
            if self._ended and self._ended.directory == directory:
                self._ended = None
                self.copies.remove(directory)

    def state(self) -> PlaceState:
        running = self._running[0] if self._running else None
        return PlaceState(node=self._settings.node, running=running, ended=self._ended)

    def _send(self, message: dict[str, Any]) -> None:
        assert self._server  # noqa: S101  (it was started when this object was made)
        self._server.send(message)

    def _serve(self) -> None:
        """Start the server, take its messages, and end this process when it is of no more use."""
        server = Server(preload=self._settings.preload)
        with self._changed:
            self._server = server
            self._changed.notify_all()
        while True:
            messages = server.receive(LOOK_SECONDS)
            if messages is None:  # the driver sees that this actor has died, and makes another
                os._exit(1)
            for message in messages:
                if "ended" in message:
                    self._end(message)
            if self._is_lonely():
                server.close()
                os._exit(0)

    def _end(self, message: dict[str, Any]) -> None:
        """Note how the run has ended, by the server's message; also in its directory."""
        with self._changed:
            assert self._running  # noqa: S101  (for the type checker: it has ended)
            place, (directory, attempt) = Path(message.pop("ended")), self._running
            self._ended = RunEnd(directory=directory, attempt=attempt, **message)
            self._running = None
            with contextlib.suppress(OSError):  # the driver is told as well
                write_end(RunDirectory(place), _attempt_end(self._ended))
            self._contact = time.monotonic()
            self._changed.notify_all()

    def _is_lonely(self) -> bool:
        with self._changed:
            return not self._running and time.monotonic() - self._contact > LONELY_SECONDS


def _attempt_end(end: RunEnd) -> AttemptEnd:
    fields = {name: value for name, value in asdict(end).items() if name != "directory"}
    return AttemptEnd(host=socket.gethostname(), finished=time.time(), **fields)
