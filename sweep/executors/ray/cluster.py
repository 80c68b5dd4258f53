"""Holds places for runs on a Ray cluster, and follows the nodes that join and vanish."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import ray

from sweep.executors.ray.adoption import Adoption, new_actor_name
from sweep.executors.ray.carrier import CarryingError, PlaceTakenError
from sweep.executors.ray.checks import find_mistakes
from sweep.executors.ray.connection import ConnectionFailedError, alive_nodes
from sweep.executors.ray.held_place import HeldPlace, new_place
from sweep.executors.ray.messages import Call, PlaceSettings, PlaceState, Report, RunEnd
from sweep.executors.ray.places import ClusterNode, need_of, unplaceable, waiting_words
from sweep.executors.ray.settings import RaySettings

LOOK_SECONDS = 1.0
"""Seconds between two looks at the nodes."""
IDLE_SECONDS = 10.0
"""Seconds after which a place without a run is given back to Ray."""
PLACE_SECONDS = 5.0
"""Seconds after which a run that has not begun is said to wait."""
KILL_SECONDS = 10.0
"""Seconds in which a killed run must end; after that its actor is killed."""

Inbox = queue.SimpleQueue[Any]
"""Messages of the scheduler, and functions to call in the loop that handles them. None: it is gone."""
Send = Callable[[Report], None]


class Cluster:
    """The places of one scheduler."""

    def __init__(self, settings: RaySettings, inbox: Inbox, send: Send) -> None:
        """Check the nodes. Raises ConnectionFailedError if no run can be placed, or not on all."""
        self._settings = settings
        self._inbox = inbox
        self._send = send
        self._nodes = alive_nodes()
        self._need = need_of(settings, self._nodes)
        self._place_settings = PlaceSettings(
            preload=settings.preload,
            device="cuda" if self._need.gpus else "cpu",
            share=min(1.0, self._need.gpus or 1.0),
            threads=max(1, int(self._need.cpus)),
            folder=settings.node_folder,
            nodes=self._need.nodes,
            options=self._need.options,
            amounts=self._need.amounts,
        )
        self._good = self._checked()
        """Nodes by id that were found able to train."""
        self._bad = set[str]()
        """Nodes by id that joined later and cannot train."""
        self._asked = set(self._good)
        self._places: dict[str, HeldPlace] = {}
        self._adoption = Adoption()
        self._adoption.end_useless()
        self._slots = self._count_slots()
        self._waiting: set[str] = set()
        """Runs that were said to wait."""

    def _checked(self) -> set[str]:
        if why := unplaceable(self._need, self._nodes):
            raise ConnectionFailedError(why)
        large = [node for node in self._nodes if self._need.fits(node.total)]
        for why in find_mistakes(self._settings, large).values():
            raise ConnectionFailedError(why)
        return {node.id for node in large}

    def serve(self) -> None:
        """Serve the scheduler until it says `close`."""
        self._send(Report(kind="slots", slots=self._slots))
        looked = time.monotonic()
        while True:
            left = looked + LOOK_SECONDS - time.monotonic()
            try:
                message = self._inbox.get(timeout=max(0.0, left))
            except queue.Empty:
                looked = time.monotonic()
                self._look()
                continue
            if message is None:
                return  # the scheduler was killed: its runs go on
            if callable(message):
                message()
            elif message.kind == "close":
                self._close()
                return
            else:
                self._handle(message)

    def _handle(self, call: Call) -> None:
        place = self._with(call.directory)
        if call.kind == "start":
            self._start(call.directory, call.attempt)
        elif call.kind == "find":
            found = self._adoption.find(call.directory, self._places)
            self._send(Report(kind="found", directory=call.directory, is_there=found is not None))
        elif place and call.kind == "signal":
            self._signal(place, call.number)
        elif place and call.kind == "release":
            del self._places[place.name]
            place.let_go()

    def _start(self, directory: str, attempt: int) -> None:
        """Start a run, or take over the place that has it from a scheduler that was killed."""
        found = self._adoption.find(directory, self._places)
        if found is None:
            self._place().start(directory, attempt)
            return
        carries = self._settings.node_folder is not None
        place = HeldPlace(*found, self._answer, carries=carries)
        self._places[place.name] = place
        place.adopt(directory)
        place.ask()

    def _place(self) -> HeldPlace:
        """An idle place, or a new one."""
        for place in self._places.values():
            if place.directory is None and place.has_begun:
                return place
        name = new_actor_name()
        place = new_place(name, self._options(), self._place_settings, self._answer)
        self._places[name] = place
        place.ask(0.0)  # the answer says that Ray has placed it
        return place

    def _options(self) -> dict[str, Any]:
        """Ray's options of a place: what a run needs, and where it must not be."""
        if not self._bad:
            return self._need.options
        selector = {"ray.io/node-id": f"!in({','.join(sorted(self._bad))})"}
        return {**self._need.options, "label_selector": selector}

    def _answer(self, place: HeldPlace, done: Future[PlaceState]) -> None:
        """Called in a thread of Ray: hand the answer of a place to this process's loop."""
        self._inbox.put(lambda: self._take_answer(place, done))

    def _take_answer(self, place: HeldPlace, done: Future[PlaceState]) -> None:
        if place.name not in self._places:  # it was ended meanwhile
            return
        error = done.exception()
        if error is None:
            if self._saw(place, done.result()):
                place.ask()
        elif isinstance(error, ray.exceptions.ActorUnavailableError):
            time.sleep(0.1)  # the network may come back
            place.ask()
        elif isinstance(error, PlaceTakenError):
            self._leave(place)
        else:
            self._lost(place, str(error) if isinstance(error, CarryingError) else None)

    def _leave(self, place: HeldPlace) -> None:
        """Another scheduler has adopted a place while this process was suspended: use another one."""
        del self._places[place.name]
        place.let_go()
        if place.directory and place.attempt is not None:
            self._start(place.directory, place.attempt)

    def _saw(self, place: HeldPlace, state: PlaceState) -> bool:
        """Take the state of a place, which Ray has placed by now; True to ask for the next one."""
        place.has_begun, place.node = True, state.node
        if place.directory in self._waiting:
            self._waiting.discard(place.directory)
            self._send(Report(kind="waiting", directory=place.directory))
        end = state.ended
        if end and place.had(end):
            if place.carrier:
                place.carrier.come_home(lambda: self._inbox.put(lambda: self._over(place, end)))
            else:
                self._over(place, end)
            return False
        if place.was_adopted and place.directory and not state.has(place.directory):
            words = "it has ended on the Ray cluster, and another scheduler was told how"
            self._send(Report(kind="ended", directory=place.directory, words=words))
            del self._places[place.name]
            return False
        return True

    def _over(self, place: HeldPlace, end: RunEnd) -> None:
        """Report how the run of a place has ended, which is free for another one."""
        self._send(
            Report(
                kind="ended",
                directory=end.directory,
                status=end.status,
                signal=end.signal,
                peak_bytes=end.peak_bytes,
                out_of_memory=end.out_of_memory,
                words=end.lost,
            )
        )
        if end.lost:  # one of its nodes is gone
            del self._places[place.name]
            place.end()
            return
        place.finish()
        place.ask()

    def _lost(self, place: HeldPlace, why: str | None) -> None:
        """An actor has died, with its run; or it is ended for a reason."""
        del self._places[place.name]
        place.end()
        if place.directory is None:
            return
        self._waiting.discard(place.directory)
        if place.killed:
            self._send(Report(kind="ended", directory=place.directory, signal=signal.SIGKILL))
            return
        alive = {node.id: node.address for node in alive_nodes()}
        where = f"on node {alive[place.node]}" if place.node in alive else "with its node"
        died = f"its process on the Ray cluster has died, {where}"
        words = f"its files could not be carried: {why}" if why else died
        self._send(Report(kind="ended", directory=place.directory, words=words))

    def _with(self, directory: str) -> HeldPlace | None:
        return next((each for each in self._places.values() if each.directory == directory), None)

    def _signal(self, place: HeldPlace, number: int) -> None:
        assert place.directory  # noqa: S101  (for the type checker: it was found by it)
        if not place.has_begun:  # it has no process yet that could take a signal
            place.killed = time.monotonic()
            place.end()
            return
        place.signal(place.directory, number)
        if number == signal.SIGKILL:
            place.killed = place.killed or time.monotonic()
            if time.monotonic() - place.killed > KILL_SECONDS:
                place.end()

    def _look(self) -> None:
        """Look at the nodes, give idle places back, and say which runs wait."""
        self._nodes = alive_nodes()
        self._check_new()
        now = time.monotonic()
        for place in list(self._places.values()):
            idle = now - place.since
            if place.directory is None and idle > IDLE_SECONDS:
                del self._places[place.name]
                place.end()
            elif place.directory and not place.has_begun and idle > PLACE_SECONDS:
                self._waiting.add(place.directory)
                reason = waiting_words(self._need, self._nodes)
                self._send(Report(kind="waiting", directory=place.directory, words=reason))
        slots = self._count_slots()
        if slots != self._slots:
            self._slots = slots
            self._send(Report(kind="slots", slots=slots))

    def _count_slots(self) -> int:
        """Runs that fit in what is free and in the places that we hold; at least one."""
        if self._settings.slots is not None:
            return self._settings.slots
        held = sum(place.has_begun for place in self._places.values())
        return max(1, held + self._need.runs(node.free for node in self._usable()))

    def _usable(self) -> list[ClusterNode]:
        return [node for node in self._nodes if node.id in self._good]

    def _check_new(self) -> None:
        """Check the nodes that have joined, in a thread. One that cannot train is not used."""
        new = [
            node
            for node in self._nodes
            if node.id not in self._asked and self._need.fits(node.total)
        ]
        if not new:
            return
        self._asked.update(node.id for node in new)

        def check() -> None:
            mistakes = find_mistakes(self._settings, new)
            for why in mistakes.values():
                print(why, flush=True)  # noqa: T201  (the log)
            good = {node.id for node in new} - mistakes.keys()
            self._inbox.put(lambda: self._good.update(good))
            self._inbox.put(lambda: self._bad.update(mistakes))

        threading.Thread(target=check, daemon=True).start()

    def _close(self) -> None:
        for place in self._places.values():
            place.end()
