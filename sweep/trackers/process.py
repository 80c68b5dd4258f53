"""The process of a tracker: reads messages from its input, answers on its output.

It is a process of its own so that a tool that hangs, crashes, prints or imports for long delays no
run. When its input ends, also because the command was killed, it closes the runs and exits.
"""

from __future__ import annotations

import os
import select
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from sweep.trackers.messages import MESSAGES, Answer, Message
from sweep.trackers.registry import TRACKERS
from sweep.trackers.session import Session
from sweep.trackers.shares import Shares

FLUSH_SECONDS = 1.0
"""Longest time for which points wait for others."""
MAX_READ = 2**20


def main() -> int:
    """Serve one tracker; its name and the folder of its files are the arguments."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the tool prints goes to its log
    return Worker(name, folder, answers).work()


class Worker:
    """Handles the messages of one tracker, and says what went wrong."""

    def __init__(self, name: str, folder: Path, answers: int) -> None:
        self._name = name
        self._folder = folder
        self._answers = answers

    def work(self) -> int:
        """Handle all messages; returns the exit status."""
        try:
            tracker = TRACKERS[self._name].make(self._folder)
            session = Session(tracker, Shares(self._folder / f"{self._name}.lock"))
        except Exception as error:  # noqa: BLE001  (a tool may raise anything)
            self._say_trouble(error)
            return 1
        for messages in batches(sys.stdin.fileno()):
            for message in messages:
                self._handle(session, message)
            self._handle(session, None)
            self._answer(Answer(handled=len(messages)))
        try:
            session.close()
            self._answer(Answer(link=tracker.link))
        except Exception as error:  # noqa: BLE001  (a tool may raise anything)
            self._say_trouble(error)
            return 1
        return 0

    def _handle(self, session: Session, message: Message | None) -> None:
        """Act on a message; None to send the points that wait."""
        try:
            if message is None:
                session.flush()
            else:
                session.handle(message)
        except Exception as error:  # noqa: BLE001  (a tool may raise anything)
            session.forget()
            self._say_trouble(error)

    def _say_trouble(self, error: Exception) -> None:
        """Say the error in a line; all of it goes to the log."""
        traceback.print_exception(error)
        lines = str(error).strip().splitlines()
        self._answer(Answer(trouble=lines[0] if lines else type(error).__name__))

    def _answer(self, answer: Answer) -> None:
        text = answer.model_dump_json(exclude_defaults=True)
        try:
            os.write(self._answers, f"{text}\n".encode())
        except BrokenPipeError:  # the command has ended: the work is finished without it
            self._answers = os.open(os.devnull, os.O_WRONLY)


def batches(descriptor: int) -> Iterator[list[Message]]:
    """Yield the messages that have come since the last ones; none now and then, to send points."""
    rest = b""
    while True:
        if not select.select([descriptor], [], [], FLUSH_SECONDS)[0]:
            yield []
            continue
        received = os.read(descriptor, MAX_READ)
        if not received:
            return
        *lines, rest = (rest + received).split(b"\n")
        yield [MESSAGES.validate_json(line) for line in lines]
