"""Read the events of a run while it writes them, and compare them with its baseline's."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from trainer.rundir.directory import Event, parse_events


def value_of(event: Event) -> tuple[str, float | None]:
    """The name and the value that an event shows: its loss, or the first metric of a script."""
    if event.metrics:
        return next(iter(event.metrics.items()))
    return "loss", event.loss


class EventFile:
    """The events of one run; each call reads only what was appended since the last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0
        self.events: dict[int, Event] = {}
        """By step, in the order in which they were written."""

    def update(self) -> dict[int, Event]:
        """Read what is new; returns all events. A file that cannot be read has none."""
        try:
            with self.path.open("rb") as file:
                if file.seek(0, os.SEEK_END) < self._read:  # a resumed run dropped later lines
                    self._read = 0
                    self.events = {}
                file.seek(self._read)
                text = file.read()
        except OSError:
            return self.events
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        self.events.update({event.step: event for event in parse_events(whole)})
        return self.events


class BaselineCurves:
    """The curves of the baseline's runs, read from their directories."""

    def __init__(self, folder: Path, runs: Callable[[], Mapping[int, str]]) -> None:
        """`runs`: the names of the baseline's run directories by seed; called when one is needed."""
        self._folder = folder
        self._runs = runs
        self._files: dict[int, EventFile] = {}

    def difference(self, seed: int, own: Mapping[int, Event]) -> float | None:
        """The value at the latest step that both runs have, minus the baseline's of this seed.

        None if they share no step, or for another metric.
        """
        if seed not in self._files:
            name = self._runs().get(seed)
            if name is None:
                return None
            self._files[seed] = EventFile(self._folder / name / "events.jsonl")
        file = self._files[seed]
        steps = list(own)
        if steps and steps[-1] not in file.events:
            file.update()
        for step in reversed(steps):
            if step in file.events:
                return _between(own[step], file.events[step])
        return None


def _between(own: Event, other: Event) -> float | None:
    (name, value), (others_name, others_value) = value_of(own), value_of(other)
    if name != others_name or value is None or others_value is None:
        return None
    return value - others_value
