"""Finds the runs of schedulers that were killed: their actors go on without them."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import time
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

import ray
from ray.util import list_named_actors

from sweep.executors.ray.groups import remove_stale
from sweep.executors.ray.messages import PlaceState

ANSWER_SECONDS = 10.0
"""Seconds in which an actor tells what it runs. One that is not placed yet never answers."""
FRESH_SECONDS = 2.0
"""Seconds for which the answers are good enough for another question."""


def new_actor_name() -> str:
    """A name for an actor, which tells the process that makes it.

    The number of the process alone would not do: in a container that is started again, it is the same.
    """
    return f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"


class Adoption:
    """The actors of other schedulers of the same folder of runs."""

    def __init__(self) -> None:
        self._silent: set[str] = set()
        """Actors that have not answered."""
        self._states: dict[str, PlaceState] = {}
        self._asked = -FRESH_SECONDS

    def find(self, directory: str, own: Container[str]) -> tuple[str, Any] | None:
        """Return the actor that has a run or its end, by name and handle; None if none has."""
        if time.monotonic() - self._asked > FRESH_SECONDS:
            self._ask(lambda name: name not in own)
            self._asked = time.monotonic()
        for name, state in self._states.items():
            if name not in own and state.has(directory):
                with contextlib.suppress(ValueError):  # it has ended meanwhile
                    return name, ray.get_actor(name)
        return None

    def end_useless(self) -> None:
        """End the actors of dead schedulers of this machine that have neither a run nor an end.

        So end their groups of nodes, and those whose actor has died.
        """
        self._ask(_is_orphan)
        for name in _names(_is_orphan):
            state = self._states.get(name)
            if state is None or not (state.running or state.ended):
                with contextlib.suppress(ValueError):  # it has ended meanwhile
                    ray.kill(ray.get_actor(name))
                self._states.pop(name, None)
        remove_stale(_is_orphan, self._states)

    def _ask(self, chosen: Callable[[str], bool]) -> None:
        """Ask actors for their states, all at the same time."""
        self._states = {}
        names = [name for name in _names(chosen) if name not in self._silent]
        asked = {}
        for name in names:
            try:
                asked[ray.get_actor(name).describe.remote()] = name
            except ValueError:  # it has ended meanwhile
                continue
        if not asked:
            return
        answered, silent = ray.wait(
            list(asked), num_returns=len(asked), timeout=ANSWER_SECONDS, fetch_local=False
        )
        self._silent |= {asked[reference] for reference in silent}
        for reference in answered:
            try:
                self._states[asked[reference]] = ray.get(reference)
            except ray.exceptions.RayError:  # it has ended meanwhile
                continue


def _names(chosen: Callable[[str], bool]) -> list[str]:
    return [name for name in list_named_actors() if chosen(name)]


def _is_orphan(name: str) -> bool:
    """True if the process that made an actor ran on this machine and has ended."""
    host, process, _ = [*name.split("/"), "", ""][:3]
    return host == socket.gethostname() and not Path(f"/proc/{process}").exists()
