"""The other nodes of a script's run: the first one starts and stops them, and learns why they failed.

A script that fails on a node is usually the reason why it fails on the others, which wait for it. So
each further node notes when and why, and the first one tells all of it, the earliest failure first.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from pydantic import ValidationError

from model.config import Config
from trainer.files import look_again, write_json
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit
from trainer.scripts.group import NodeGroup
from trainer.scripts.processes import Forked

FAILURE_SECONDS = 2.0
"""Seconds in which the other nodes may note that they have failed, too, after one has."""
END_SECONDS = 10.0
"""Seconds that the other nodes have to end after the first one has ended well."""
KILL_SECONDS = 5.0
"""Seconds in which the command that started them must end when it is told to."""
NOTE_SECONDS = 1.0
LOOK_SECONDS = 0.05


class NodeFailure(Config):
    """Why a script has failed on a node: `end-N-node-K.json` in the run directory, N the attempt."""

    words: str
    finished: float
    """Unix time, by the clock of the node."""


def note_failure(directory: RunDirectory, attempt: int, group: NodeGroup, why: str) -> str:
    """Note that the script has failed on this node; returns a sentence that names it."""
    failure = NodeFailure(words=f"{node_words(group)}: {why}", finished=time.time())
    path = directory.path / f"end-{attempt}-node-{group.rank}.json"
    with contextlib.suppress(OSError):  # the engine reports that it has failed, too
        write_json(path, failure.model_dump())
    return failure.words


def node_words(group: NodeGroup) -> str:
    """`node n2 (NODE_RANK 1)`."""
    return f"node {group.name or group.rank + 1} (NODE_RANK {group.rank})"


class StopNote:
    """Asks the other nodes of a run to stop: the file `end-N-stop.json` in the run directory.

    A signal would not do: srun sends it to all processes of a node, the script's too.
    """

    def __init__(self, directory: RunDirectory, attempt: int) -> None:
        self.path = directory.path / f"end-{attempt}-stop.json"
        self._looked = -float("inf")

    def write(self) -> None:
        with contextlib.suppress(OSError):  # the disk is full; the nodes end after the first one
            write_json(self.path, {})

    def is_there(self) -> bool:
        """True once it is written; looks once per `NOTE_SECONDS`."""
        if time.monotonic() < self._looked + NOTE_SECONDS:
            return False
        self._looked = time.monotonic()
        look_again(self.path.parent)
        return self.path.exists()


class OtherNodes:
    """The nodes of a run but for this one, which is the first."""

    def __init__(self, directory: RunDirectory, attempt: int, group: NodeGroup) -> None:
        """Start the script there, unless the engine does."""
        self._directory, self._attempt, self._group = directory, attempt, group
        self._asked = StopNote(directory, attempt)
        self._process: Forked | None = None
        if group.others:
            for old in (*self._files(), self._asked.path):  # before its job was queued again
                old.unlink(missing_ok=True)
            self._process = Forked(group.start_others())

    def stop(self) -> None:
        """Ask the script to stop there."""
        self._asked.write()

    def have_stopped(self) -> bool:
        """True if the engine has asked the script to stop there."""
        return self._status == Exit.STOPPED

    def have_failed(self) -> bool:
        """True if the script has failed on another node, as far as is known."""
        return bool(self._noted()) or self._status not in {None, Exit.DONE, Exit.STOPPED}

    def why(self, own: str | None) -> tuple[str, bool]:
        """End the script on the other nodes; returns why it has failed, and if it has on another node.

        `own`: why it has failed on this node; None if it has not.
        """
        here = NodeFailure(words=f"{node_words(self._group)}: {own}", finished=time.time())
        until = time.monotonic() + FAILURE_SECONDS
        while time.monotonic() < until and len(self._noted()) < self._group.nodes - 1:
            time.sleep(LOOK_SECONDS)
        has_failed, failures, status = self.have_failed(), self._noted(), self._status
        self.close(
            well=False
        )  # first, or else the engine's words on it would be the last in the log
        failures += [here] if own else []
        failures.sort(key=lambda each: each.finished)
        words = "; then ".join(failure.words for failure in failures)
        return words or self._group.end_of_others(status or Exit.FAILED), has_failed

    def close(self, *, well: bool) -> None:
        """End the script on the other nodes; if it has ended `well` here, it has time to end there."""
        if self._process is None:
            return
        if well:
            self._wait(END_SECONDS)
        for number in (signal.SIGTERM, signal.SIGKILL):
            self._send(number)
            self._wait(KILL_SECONDS)

    @property
    def _status(self) -> int | None:
        """That of the command which has started them; None while it runs, and without one."""
        return self._process.poll() if self._process else None

    def _noted(self) -> list[NodeFailure]:
        found = []
        for path in self._files():
            with contextlib.suppress(OSError, ValidationError):
                found.append(NodeFailure.model_validate_json(path.read_bytes()))
        return found

    def _files(self) -> list[Path]:
        look_again(self._directory.path)
        return list(self._directory.path.glob(f"end-{self._attempt}-node-[1-9]*.json"))

    def _send(self, number: int) -> None:
        if self._process and self._process.poll() is None:
            os.kill(self._process.pid, number)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self._process and self._process.poll() is None and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
