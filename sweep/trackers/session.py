"""What the process of a tracker does with messages: opens runs, sends points, closes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sweep.trackers.base import (
    OpenRun,
    Outcome,
    Point,
    TrackedRun,
    Tracker,
    outcome_of,
    point_of,
)
from sweep.trackers.messages import Advanced, Ended, Judged, Message, Started, Stopped
from sweep.trackers.shares import Shares
from trainer.rundir.directory import RunDirectory


class Session:
    """Tells one tracker about the runs of a command.

    If a tracker raises, the points of that run are left until it starts again or ends: then what
    the tracker lacks is read from the run's directory.
    """

    def __init__(self, tracker: Tracker, shares: Shares) -> None:
        self._tracker = tracker
        self._shares = shares
        self._open: dict[str, OpenRun] = {}
        """Runs that points are sent to, by key."""
        self._points: dict[str, list[Point]] = {}
        """Points that wait for `flush`, by key."""
        self._busy: str | None = None
        """The run that the tracker is being told about."""

    def handle(self, message: Message) -> None:
        """Act on a message. Raises what the tracker raises."""
        match message:
            case Started(run=run):
                self._start(run)
            case Advanced(key=key, event=event):
                if key in self._open:
                    self._points.setdefault(key, []).append(point_of(event))
            case Stopped(key=key):
                self._stop(key)
            case Ended(run=run, failure=failure):
                self._end(run, failure)
            case Judged(verdicts=verdicts):
                self._tracker.attach(verdicts)
        self._busy = None

    def flush(self) -> None:
        """Send the points that wait. Raises what the tracker raises."""
        for key in list(self._points):
            self._send(key, self._points.pop(key))
        self._busy = None

    def forget(self) -> None:
        """After an exception: leave the run that it came from alone, until it starts or ends."""
        if self._busy:
            self._points.pop(self._busy, None)
            self._open.pop(self._busy, None)
            self._shares.give_back(self._busy)
        self._busy = None

    def close(self) -> None:
        """Close all runs, which continue later. Raises what the tracker raises."""
        for key in list(self._open):
            self._stop(key)
        self._tracker.close()

    def _start(self, run: TrackedRun) -> None:
        self._busy = run.key
        self._shares.take(run.key)
        if run.key not in self._open:
            self._open[run.key] = self._tracker.open(run)
        events = RunDirectory(Path(run.directory)).read_events()  # of earlier attempts
        self._send(run.key, [point_of(event) for event in events])

    def _send(self, key: str, points: Sequence[Point]) -> None:
        """Send the points that the tracker lacks: a resumed run repeats some steps."""
        self._busy, run = key, self._open[key]
        after = run.last_step
        if new := [point for point in points if point.step > after and point.values]:
            run.log(new)

    def _end(self, run: TrackedRun, failure: str | None) -> None:
        """Send what the tracker lacks of a run, and its outcome, from the run's directory."""
        key, directory = run.key, RunDirectory(Path(run.directory))
        self._busy = key
        self._points.pop(key, None)
        if key not in self._open:
            if failure is None and self._tracker.has_finished(run):
                return
            if not self._shares.try_to_take(key):  # another command sends it
                return
        result = directory.read_result() if failure is None else None
        if result or failure is not None:
            if key not in self._open:
                self._open[key] = self._tracker.open(run)
            points = [point_of(event) for event in directory.read_events()]
            self._send(key, points)
            last = max((point.step for point in points), default=0)
            failed = Outcome("failed", {}, last, failure or "")
            self._open.pop(key).finish(outcome_of(result, last) if result else failed)
        self._shares.give_back(key)

    def _stop(self, key: str) -> None:
        if key in self._open:
            self._send(key, self._points.pop(key, []))
            self._open.pop(key).stop()
            self._shares.give_back(key)
