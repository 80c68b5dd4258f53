"""A place for one run at a time on a Ray cluster, as its driver holds it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict
from typing import Any

import ray

from sweep.bootstrap import FOLDERS
from sweep.executors.ray import actor as ray_actor
from sweep.executors.ray.carrier import Carrier, PlaceTakenError
from sweep.executors.ray.groups import grouped, remove_group
from sweep.executors.ray.messages import PlaceSettings, PlaceState, RunEnd
from sweep.executors.ray.shipment import our_packages

Answer = Callable[["HeldPlace", Future[PlaceState]], None]
"""Takes the state of a place, or the exception that says that it is gone."""


class HeldPlace:
    """An actor of ours, and the run that it was given."""

    def __init__(self, name: str, actor: Any, answer: Answer, *, carries: bool) -> None:  # noqa: ANN401  (Ray's handle)
        """`carries`: no disk is shared. `answer` gets an exception if the place is gone, or taken."""
        self.name = name
        self._carries = carries
        self.directory: str | None = None
        """The run that it was given and whose end was not reported yet."""
        self._finished: str | None = None
        """The run before that."""
        self.attempt: int | None = None
        """The attempt that it was given; None for a run of another scheduler."""
        self.has_begun = False
        """True once Ray has placed it on a node."""
        self.node: str | None = None
        """Id of its node; None until Ray has placed it."""
        self.since = time.monotonic()
        """When it was given its run, or when it became idle."""
        self.killed: float | None = None
        """When its run was first to be killed."""
        self.carrier: Carrier | None = None
        """What carries its run, if no disk is shared."""
        self._actor = actor
        self._answer = answer

    def start(self, directory: str, attempt: int) -> None:
        """Give it a run."""
        self._take(directory, attempt)
        if not self._carries:
            begun = self._actor.start.remote(directory, attempt, self._finished).future()
            begun.add_done_callback(self._check_begun)

    def _check_begun(self, done: Future[bool]) -> None:
        """Answer that another driver has this place. That it is gone, `ask` tells."""
        if done.exception() is None and not done.result():
            self._failed(PlaceTakenError(self.name))

    def adopt(self, directory: str) -> None:
        """Take over the run that another scheduler gave it."""
        self._take(directory, None)

    @property
    def was_adopted(self) -> bool:
        """True if another scheduler gave it the run that it has."""
        return self.directory is not None and self.attempt is None

    def _take(self, directory: str, attempt: int | None) -> None:
        """Note the run that it has; where no disk is shared, carry it to its node and back."""
        self.directory, self.attempt = directory, attempt
        self.since, self.killed = time.monotonic(), None
        if self._carries:
            self.carrier = Carrier(self._actor, directory, attempt, self._failed, self._finished)
            self.carrier.start()

    def _failed(self, error: Exception) -> None:
        """Answer that the run has not begun, or that its files could not be carried."""
        answer: Future[PlaceState] = Future()
        answer.set_exception(error)
        self._answer(self, answer)

    def had(self, end: RunEnd) -> bool:
        """True if this is the end of its run, and not that of an earlier attempt at the same run."""
        return end.directory == self.directory and self.attempt in {None, end.attempt}

    def let_go(self) -> None:
        """Another scheduler follows its run, and brings the files home."""
        if self.carrier:
            self.carrier.leave()

    def signal(self, directory: str, number: int) -> None:
        self._actor.signal.remote(directory, number)

    def finish(self) -> None:
        """The end of its run was reported: it can be given another one."""
        self._actor.forget.remote(self.directory)
        self.carrier, self._finished = None, self.directory
        self.directory, self.since, self.killed = None, time.monotonic(), None

    def ask(self, seconds: float = ray_actor.WAIT_SECONDS) -> None:
        """Ask for its state; the answer comes when its run has ended, or after some seconds."""
        future = self._actor.wait.remote(seconds).future()
        future.add_done_callback(lambda done: self._answer(self, done))

    def end(self) -> None:
        """End the actor, and the run that it has, and give its nodes back."""
        ray.kill(self._actor)
        remove_group(self.name)


def new_place(
    name: str, options: dict[str, Any], settings: PlaceSettings, answer: Answer
) -> HeldPlace:
    """Have Ray start an actor, on any node that has room now or later. It survives this process."""
    if settings.nodes > 1:
        options = grouped(name, options, settings.amounts, settings.nodes)
    actor = ray.remote(ray_actor.Place).options(
        name=name,
        lifetime="detached",
        max_restarts=0,
        max_concurrency=ray_actor.THREADS,
        **options,
    )
    carries = settings.folder is not None
    code = (*our_packages(), settings.folder) if settings.folder else str(FOLDERS["sweep"])
    return HeldPlace(name, actor.remote(code, asdict(settings)), answer, carries=carries)
