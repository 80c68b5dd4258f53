"""A place for runs on a node of a Ray cluster: forks them from a server and keeps their ends.

It outlives the driver: a run goes on when nothing asks for it, and its end is kept for the next
driver. Without a run and without a driver it ends itself, which frees its GPUs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NoReturn

from sweep.executors.fork_server import Server
from sweep.executors.ray.copies import Known, Update
from sweep.executors.ray.groups import is_headless, remove_own_group
from sweep.executors.ray.messages import PlaceSettings, PlaceState, RunEnd
from sweep.executors.ray.node_copies import NodeCopies
from sweep.executors.ray.partners import Partners
from trainer.rundir.attempt_end import AttemptEnd, WorkerNote, write_end, write_note
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit
from trainer.sharing import share_environment

LONELY_SECONDS = 60.0
"""Seconds without a run and without a driver after which the process ends itself."""
HEADLESS_SECONDS = 15.0
"""Seconds without a word from the first node of a run after which one of the others looks whether it is
there. It asks for the run's end more often than that."""
SCRIPT_SECONDS = 10.0
"""Seconds that a script has to end by itself, with the reason, after it has failed on another node."""
LOOK_SECONDS = 1.0
"""Seconds between two looks at whether it is of any use."""


class Node:
    """Runs one run at a time. Safe to use in several threads."""

    def __init__(self, settings: PlaceSettings) -> None:
        self._settings = settings
        self.copies = NodeCopies(settings.folder)
        self._changed = threading.Condition()
        is_first = settings.nodes > 1 and settings.rank == 0
        self._partners = Partners(settings, self._partner_failed) if is_first else None
        self._failure: RunEnd | None = None
        """The first end of ranks on another node, if they failed."""
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
            self._ended = self._failure = None
            self._running = directory, attempt
        note = WorkerNote(attempt=attempt, host=socket.gethostname(), job=self._settings.job)
        place = self.copies.place_of(directory)
        with contextlib.suppress(OSError):  # it is only shown
            write_note(RunDirectory(place), note)
        group = None
        if self._partners and not RunDirectory(place).is_instruction_run:  # that has one process
            patience = SCRIPT_SECONDS if RunDirectory(place).is_script else 0.0
            group = self._partners.begin(directory, attempt, patience).model_dump()
        self._fork(place, attempt, group)
        return True

    def join(self, directory: str, attempt: int, group: dict[str, Any]) -> None:
        """Start a run on this node for the first one, which asks once more if it got no answer."""
        with self._changed:
            self._contact = time.monotonic()
            if self._running == (directory, attempt):
                return
            self._ended = None
            self._running = directory, attempt
        self._fork(Path(directory), attempt, group)

    def _fork(self, place: Path, attempt: int, group: dict[str, Any] | None) -> None:
        self._send(
            {
                "start": str(place),
                "attempt": attempt,
                "device": self._settings.device,
                "threads": self._settings.threads,
                "environment": share_environment(self._settings.share),
                "group": group,
            }
        )

    def _partner_failed(self, end: RunEnd) -> None:
        """The run has failed on another node: end it on this one, where it would wait."""
        with self._changed:
            if self._failure or self._running != (end.directory, end.attempt):
                return
            self._failure = end
        self.signal(end.directory, signal.SIGKILL)

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
                self._leave(1)
            for message in messages:
                if "ended" in message:
                    self._end(message)
            if self._is_lonely():
                server.close()
                self._leave(0)

    def _leave(self, status: int) -> NoReturn:
        """End this process, and those of the run's other nodes; all of them are given back."""
        if self._settings.nodes > 1:
            remove_own_group()
        os._exit(status)

    def _end(self, message: dict[str, Any]) -> None:
        """Note how the run has ended, by the server's message; also in its directory.

        If ranks of another node failed first, or were lost, that is the end of the run.
        """
        ended_well = message.get("status") in {Exit.DONE, Exit.STOPPED}
        lost = self._partners.end(well=ended_well) if self._partners else None
        with self._changed:
            assert self._running  # noqa: S101  (for the type checker: it has ended)
            place, (directory, attempt) = Path(message.pop("ended")), self._running
            end = self._failure or RunEnd(directory=directory, attempt=attempt, **message)
            self._ended = replace(end, lost=end.lost or lost)
            self._running = None
            if self._settings.rank == 0:
                with contextlib.suppress(OSError):  # the driver is told as well
                    write_end(RunDirectory(place), _attempt_end(self._ended))
            self._contact = time.monotonic()
            self._changed.notify_all()

    def _is_lonely(self) -> bool:
        with self._changed:
            alone, has_run = time.monotonic() - self._contact, self._running is not None
        if self._settings.rank > 0:
            return alone > HEADLESS_SECONDS and is_headless()
        return not has_run and alone > LONELY_SECONDS


def _attempt_end(end: RunEnd) -> AttemptEnd:
    fields = {
        name: value for name, value in asdict(end).items() if name not in {"directory", "lost"}
    }
    return AttemptEnd(host=socket.gethostname(), finished=time.time(), **fields)
