"""Carries a run to a node and back, where no disk is shared: its files, its corpus, its heartbeat."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray

from sweep.executors.ray.copies import Copy, Known, read_update
from sweep.executors.ray.node_copies import CORPUS, DONE
from trainer.corpora.mixture import folders_of
from trainer.errors import RunDirectoryError
from trainer.files import FULL
from trainer.rundir.directory import RunDirectory

FETCH_SECONDS = 1.0
"""Seconds between two looks at the files of a run."""


class PlaceTakenError(Exception):
    """Another driver uses a place."""


class CarryingError(Exception):
    """The files of a run could not be carried; the message is the reason."""


class Carrier(threading.Thread):
    """Keeps the scheduler's run directory equal to that of the node, in a thread."""

    def __init__(
        self,
        actor: Any,  # noqa: ANN401  (Ray's handle)
        directory: str,
        attempt: int | None,
        when_lost: Callable[[Exception], None],
        finished: str | None = None,
    ) -> None:
        """`attempt`: the one to start on the node; None for a run that is there already.

        `finished`: the run that the place had before.
        """
        super().__init__(daemon=True)
        self._when_lost = when_lost
        self._actor = actor
        self._directory = RunDirectory(Path(directory))
        self._copy = Copy(Path(directory))
        self._beat: int | None = None
        self._attempt, self._finished = attempt, finished
        self._ended = threading.Event()
        self._left = False
        self._when_home: Callable[[], None] | None = None

    def come_home(self, when_home: Callable[[], None]) -> None:
        """The run has ended: call a function when all its files are here. Further calls do nothing."""
        if self._when_home is None:
            self._when_home = when_home
            self._ended.set()

    def leave(self) -> None:
        """Stop carrying: two that write the same files would be in each other's way."""
        self._left = True
        self._ended.set()

    def run(self) -> None:
        try:
            if self._attempt is not None:
                self._deliver(self._attempt)
            while not self._ended.wait(FETCH_SECONDS):
                self._fetch()
            while not self._left and not self._fetch():
                pass
        except (PlaceTakenError, ray.exceptions.RayActorError) as error:
            self._when_lost(error)
            return
        except (OSError, ray.exceptions.RayError) as error:
            self._when_lost(CarryingError(" ".join(str(error).split())[-400:]))
            return
        if self._when_home and not self._left:
            self._when_home()

    def _deliver(self, attempt: int) -> None:
        """Carry the run to its node and start it there."""
        path = str(self._directory.path)
        corpora: list[Path | None] = [*self._corpora()]
        for corpus in corpora or [None]:
            if not ray.get(self._actor.prepare.remote(path, attempt, corpus and corpus.name)):
                assert corpus  # noqa: S101  (else there is nothing that the node could lack)
                self._send(corpus, CORPUS + corpus.name)
                ray.get(self._actor.accept.remote(DONE + corpus.name, None))
        self._send(self._directory.path, path)
        if self._left:
            return
        if not ray.get(self._actor.start.remote(path, attempt, self._finished)):
            raise PlaceTakenError(path)

    def _send(self, folder: Path, name: str) -> None:
        """Send all files of a folder."""
        known: dict[str, Any] = {}
        complete = False
        while not complete:
            update = read_update(folder, known)
            ray.get(self._actor.accept.remote(name, update))
            for piece in update.pieces:
                known[piece.name] = piece.state, piece.offset + len(piece.content)
            complete = update.is_complete

    def _corpora(self) -> list[Path]:
        """The folders of the run's corpus in the cache, those that a mixture reads first."""
        try:
            request = self._directory.read_request()
        except RunDirectoryError:
            return []
        cache = self._directory.path / request.cache
        return folders_of(request.recipe.data.tokenizer, request.corpus_hash or "-", cache)

    def _fetch(self) -> bool:
        """Bring what is new; True if that was all.

        A full disk here is waited for: the run goes on, and its node keeps the files.
        """
        known: Known = self._copy.known
        update, beat = ray.get(self._actor.read.remote(str(self._directory.path), known))
        if beat != self._beat:
            self._beat = beat
            os.utime(self._directory.path / "lock")
        try:
            self._copy.apply(update)
        except OSError as error:
            if error.errno not in FULL:
                raise
            time.sleep(FETCH_SECONDS)
            return False
        return bool(update.is_complete)
