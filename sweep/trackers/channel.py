"""The process of a tracker, seen from the command: messages go out, and nothing waits for it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Thread

from pydantic import ValidationError

from sweep.bootstrap import command
from sweep.trackers.messages import Advanced, Answer, Ended, Message, Started
from sweep.trackers.registry import TRACKERS

MODULE = "sweep.trackers.process"
MAX_WAITING = 10_000
"""Messages that wait for a slow tracker. Further ones are dropped, and made up for at the end."""
DEFAULT_PATIENCE = 120.0
PATIENCE_VARIABLE = "SWEEP_TRACK_SECONDS"
POLL_SECONDS = 0.05


def patience() -> float:
    """Seconds that a command waits at its end for a tracker that takes nothing any more."""
    with contextlib.suppress(KeyError, ValueError):
        return float(os.environ[PATIENCE_VARIABLE])
    return DEFAULT_PATIENCE


class Channel:
    """Starts the process of a tracker, and sends it messages from a thread.

    Trouble is said once, in a sentence, and never raised.
    """

    def __init__(self, name: str, folder: Path, say: Callable[[str], None]) -> None:
        """Start it; `folder` is for its log and for files of the tool."""
        self.title = TRACKERS[name].title
        self.link: str | None = None
        """How to look at the runs; known at the end."""
        self.handled = 0
        """Messages that the tracker has handled."""
        self._log = folder / f"{name}.log"
        self._say = say
        self._has_complained = self._is_closing = False
        self._queue: Queue[Message | None] = Queue(MAX_WAITING)
        self._behind: set[str] = set()
        """Runs with dropped messages: no further points are sent before they start again or end."""
        self._heard = time.monotonic()
        self._process = self._start(name, folder)
        self._threads = [
            Thread(target=target, daemon=True) for target in (self._send_all, self._listen)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, message: Message) -> None:
        """Send a message soon. Never waits: drops it if the tracker is slow."""
        key = _key(message)
        if isinstance(message, Advanced) and key in self._behind:
            return
        try:
            self._queue.put_nowait(message)
        except Full:
            self._behind.add(key)
        else:
            self._behind.discard(key)

    def finish(self, messages: Iterable[Message], seconds: float) -> None:
        """Send the last messages, and wait as long as the tracker takes some every `seconds`."""
        self._heard = time.monotonic()
        for message in [*messages, None]:
            while self._is_alive() and not self._has_hung(seconds):
                with contextlib.suppress(Full):
                    self._queue.put(message, timeout=POLL_SECONDS)
                    break
        while self._is_alive() and not self._has_hung(seconds):
            time.sleep(POLL_SECONDS)
        if self._is_alive():
            self.kill()
            self._complain(f"took nothing for {seconds:g} s and was ended")

    def release(self) -> None:
        """Let the process finish by itself what it has got, without waiting for it."""
        self._is_closing = True
        with contextlib.suppress(Empty):
            while True:
                self._queue.get_nowait()
        with contextlib.suppress(Full):
            self._queue.put_nowait(None)

    def kill(self) -> None:
        """End the process at once."""
        self._is_closing = True
        if self._process:
            self._process.kill()

    def _start(self, name: str, folder: Path) -> subprocess.Popen[bytes] | None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with self._log.open("ab") as log:
                return subprocess.Popen(  # noqa: S603  (no shell, and no text from a study)
                    [*command(MODULE), name, str(folder.resolve())],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,  # a Ctrl-C reaches only the scheduler
                )
        except OSError as error:
            self._complain(f"could not be started ({error.strerror}: {error.filename})")
            return None

    def _is_alive(self) -> bool:
        return any(thread.is_alive() for thread in self._threads) and self._process is not None

    def _has_hung(self, seconds: float) -> bool:
        return time.monotonic() - self._heard > seconds

    def _send_all(self) -> None:
        """Write the messages to the process until None comes, or until it has ended."""
        if not self._process or not self._process.stdin:
            return
        with contextlib.suppress(BrokenPipeError), self._process.stdin as file:
            for message in iter(self._queue.get, None):
                file.write(message.model_dump_json().encode() + b"\n")
                file.flush()
            self._is_closing = True

    def _listen(self) -> None:
        """Read the answers of the process until it ends."""
        if not self._process or not self._process.stdout:
            return
        with self._process.stdout as file:
            for line in file:
                self._heard = time.monotonic()
                with contextlib.suppress(ValidationError):
                    self._hear(Answer.model_validate_json(line))
        status = self._process.wait()
        if not self._is_closing:
            self._complain(f"has ended with status {status}")

    def _hear(self, answer: Answer) -> None:
        self.link = answer.link or self.link
        self.handled += answer.handled
        if answer.trouble:
            self._complain(f"says: {answer.trouble.rstrip('.')}")

    def _complain(self, what: str) -> None:
        """Say once that something could not be sent."""
        if not self._has_complained:
            self._has_complained = True
            self._say(
                f"{self.title} {what}. No run waits for that; this command, typed again, sends what is "
                f"missing. Details: {self._log}"
            )


def _key(message: Message) -> str:
    """The key of the run that a message is about."""
    if isinstance(message, Started | Ended):
        return message.run.key
    return getattr(message, "key", "")
