"""The curves of a run: every value of its metrics, written to `events.jsonl` as it comes."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable
from dataclasses import dataclass

from trainer.files import FULL, write_whole
from trainer.rundir.directory import Event, RunDirectory
from trainer.scripts.request import MetricSource

POINTS_BEFORE_THINNING = 10_000
"""Points of a curve that are all written; of twice as many every second one, and so on."""


@dataclass
class Curve:
    """The values of one metric, as far as the metric of the run depends on them."""

    source: MetricSource
    values: int = 0
    """How many there are."""
    last: float | None = None
    first: float | None = None
    smallest: float = math.inf
    largest: float = -math.inf
    total: float = 0.0
    first_not_finite: int | None = None
    """Step of the first value that is not finite."""
    is_new: bool = False
    """True once this attempt has added a value."""

    def add(self, value: float, step: int) -> None:
        """Add a value."""
        self.values += 1
        self.last = value
        self.first = value if self.first is None else self.first
        if not math.isfinite(value):
            self.first_not_finite = step if self.first_not_finite is None else self.first_not_finite
        self.smallest, self.largest = min(self.smallest, value), max(self.largest, value)
        self.total += value

    def taken(self) -> float | None:
        """The value of the run; None if this attempt has given none."""
        if not self.is_new:
            return None
        if self.source.take in {"min", "max"}:
            if self.smallest == math.inf and self.largest == -math.inf:  # NaN compares as false
                return math.nan
            return self.smallest if self.source.take == "min" else self.largest
        if self.source.take == "mean":
            return self.total / self.values
        return self.first if self.source.take == "first" else self.last


class Curves:
    """The curves of all metrics.

    If an attempt continues an earlier one, its first step tells where: later events of the earlier
    attempt are dropped. Without steps of its own it is taken to have begun afresh.
    """

    def __init__(self, directory: RunDirectory, metrics: dict[str, MetricSource]) -> None:
        self._directory = directory
        self._before = directory.read_events()
        self._curves = {name: Curve(source) for name, source in metrics.items()}
        self._begun = False
        self._pending = bytearray()

    def __getitem__(self, name: str) -> Curve:
        return self._curves[name]

    def add(self, name: str, value: float, step: int | None) -> None:
        """Add a value of a metric; without a step, values are counted."""
        if not self._begun:
            self._begin(step)
        curve = self._curves[name]
        if step is None or abs(step) > 2**53:
            step = curve.values + 1
        curve.add(value, step)
        curve.is_new = True
        thinned = curve.values % 2 ** (curve.values // POINTS_BEFORE_THINNING).bit_length()
        if math.isfinite(value) and not thinned:
            self._pending += Event(step=step, metrics={name: value}).line.encode()

    def flush(self) -> None:
        """Write what was added. A full disk costs points of the curve, and nothing else."""
        if not self._pending:
            return
        pending, self._pending = bytes(self._pending), bytearray()
        with contextlib.suppress(OSError), self._directory.events.open("ab") as file:
            file.write(pending)

    def _begin(self, step: int | None) -> None:
        """Keep the events of an earlier attempt up to the step that this one continues from."""
        self._begun = True
        kept = [event for event in self._before if step is not None and event.step < step]
        for name, event_step, value in _values(kept):
            if name in self._curves:
                self._curves[name].add(value, event_step)
        if self._before:
            self._rewrite(kept)

    def _rewrite(self, kept: Iterable[Event]) -> None:
        try:
            write_whole(self._directory.events, "".join(event.line for event in kept).encode())
        except OSError as error:
            if error.errno not in FULL:
                raise


def _values(events: Iterable[Event]) -> Iterable[tuple[str, int, float]]:
    for event in events:
        for name, value in event.metrics.items():
            yield name, event.step, value
