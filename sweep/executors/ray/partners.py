"""The further nodes of a run: the place on its first node starts ranks there, and watches them.

Each has an actor of the kind that a place is, in the same placement group. It outlives the actor of the
first node, and then gives the group back. It has neither the run's lock nor writes the run's files.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import ray
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from sweep.bootstrap import HERE
from sweep.executors.ray import actor as ray_actor
from sweep.executors.ray.messages import PlaceSettings, PlaceState, RunEnd
from trainer.rundir.exits import Exit
from trainer.scripts.environment import free_port
from trainer.scripts.group import NodeGroup

END_SECONDS = 10.0
"""Seconds that the other nodes have to end after the first one has ended well."""
UNAVAILABLE_SECONDS = 0.1
"""Seconds until an actor that the network does not reach is asked again."""

WhenFailed = Callable[[RunEnd], None]


class Partners:
    """The nodes of a place but for its own, and the processes of its run there."""

    def __init__(self, settings: PlaceSettings, when_failed: WhenFailed) -> None:
        """`when_failed`: called in a thread when ranks have failed, or were lost, before the run ended."""
        self._settings = settings
        self._when_failed = when_failed
        self._actors: list[Any] = []
        self._watchers: list[_Watcher] = []
        self._over = threading.Event()
        """Set once the run has ended here: what happens on the other nodes is not its end."""

    def begin(self, directory: str, attempt: int, patience: float) -> NodeGroup:
        """Start a run on the other nodes; returns what this node is told.

        `patience`: seconds that the run has to end by itself after it has failed on another node.
        """
        self._actors = self._actors or self._make_actors()
        nodes, address = self._settings.nodes, ray.util.get_node_ip_address()
        group = NodeGroup(address=address, port=free_port(), nodes=nodes, name=address)
        over = self._over = threading.Event()
        self._watchers = [
            _Watcher(
                actor,
                (directory, attempt),
                group.model_copy(update={"rank": rank}),
                self._when_failed,
                partial(over.wait, patience),
            )
            for rank, actor in enumerate(self._actors, 1)
        ]
        for watcher in self._watchers:
            watcher.start()
        return group

    def end(self, *, well: bool) -> str | None:
        """End the run on the other nodes and wait for that; returns why one was lost.

        If it has ended `well` here, it has time to end there, too; otherwise it is killed at once. It
        waits as long as Ray takes to notice that a node is dead.
        """
        self._over.set()
        until = time.monotonic() + (END_SECONDS if well else 0.0)
        for watcher in self._watchers:
            watcher.join(max(0.0, until - time.monotonic()))
        for watcher in self._watchers:
            watcher.kill()
        for watcher in self._watchers:
            watcher.join()
        lost = next((watcher.lost for watcher in self._watchers if watcher.lost), None)
        self._watchers = []
        return lost

    def _make_actors(self) -> list[Any]:
        ray.cloudpickle.register_pickle_by_value(ray_actor)  # a node may not know our packages yet
        group = ray.util.get_current_placement_group()
        made = []
        for rank in range(1, self._settings.nodes):
            settings = asdict(replace(self._settings, rank=rank))
            there = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=rank)
            remote = ray.remote(ray_actor.Place).options(
                scheduling_strategy=there,
                lifetime="detached",
                max_restarts=0,
                max_concurrency=ray_actor.THREADS,
                **self._settings.options,
            )
            made.append(remote.remote(str(HERE.parent), settings))
        return made


class _Watcher(threading.Thread):
    """Starts the ranks of one node and waits for their end."""

    def __init__(
        self,
        actor: Any,  # noqa: ANN401  (Ray's handle)
        attempt: tuple[str, int],
        group: NodeGroup,
        when_failed: WhenFailed,
        is_over: Callable[[], bool],
    ) -> None:
        """`attempt`: the run directory and the number of its attempt. `when_failed`: see `Partners`.

        `is_over`: waits a while and returns True if the run has ended on the first node.
        """
        super().__init__(daemon=True)
        self._actor = actor
        self._directory, self._attempt = attempt
        self._group = group
        self._when_failed = when_failed
        self._is_over = is_over
        self._is_killed = False
        self.lost: str | None = None
        """Why it ended through no fault of the run, in a sentence."""

    def kill(self) -> None:
        """Kill the ranks, or let them not begin; their end is not reported."""
        self._is_killed = True
        self._actor.signal.remote(self._directory, signal.SIGKILL)

    def run(self) -> None:
        where = f"process {self._group.rank} of its nodes"
        try:
            where = f"its processes on node {self._join()}"
            end = self._wait()
        except ray.exceptions.RayError as error:
            died = isinstance(error, ray.exceptions.RayActorError)
            words = "have died" if died else " ".join(str(error).split())[-400:]
            self.lost = f"{where} {words}"
            end = self._end(self.lost)
        if end.status not in {Exit.DONE, Exit.STOPPED} and not self._is_over():
            self._when_failed(end)

    def _join(self) -> str:
        """Start the ranks; returns the address of their node."""
        group = self._group.model_dump()
        address = self._ask(lambda: self._actor.join.remote(self._directory, self._attempt, group))
        if self._is_killed:  # the signal may have come before there was a process
            self._actor.signal.remote(self._directory, signal.SIGKILL)
        return str(address)

    def _wait(self) -> RunEnd:
        while True:
            state: PlaceState = self._ask(lambda: self._actor.wait.remote(ray_actor.WAIT_SECONDS))
            if state.ended:
                self._actor.forget.remote(self._directory)
                return state.ended

    def _ask(self, call: Callable[[], Any]) -> Any:  # noqa: ANN401  (what the call returns)
        while True:
            try:
                return ray.get(call())
            except ray.exceptions.ActorUnavailableError:
                time.sleep(UNAVAILABLE_SECONDS)

    def _end(self, lost: str) -> RunEnd:
        return RunEnd(
            directory=self._directory,
            attempt=self._attempt,
            status=None,
            signal=None,
            peak_bytes=None,
            out_of_memory=None,
            lost=lost,
        )
