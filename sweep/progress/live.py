"""Show the progress of runs as a live display at the end of a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

from rich.console import Console
from rich.text import Text

from sweep.progress.drawing import draw
from sweep.progress.event_file import BaselineCurves
from sweep.progress.gauges import Gauge, MachineGauges
from sweep.progress.plain import BusySlot, PlainProgress
from sweep.progress.screen import Screen, SlotRow, Standing, with_events
from sweep.progress.surroundings import NOWHERE, Surroundings
from sweep.progress.time_left import TimeLeft
from sweep.progress.watcher import Stopping, Waiting
from sweep.progress.words import is_paused, time_left_words
from sweep.terminal.live import ResizableLive
from sweep.workload.job import Job
from trainer.rundir.directory import Event

ROWS_FOR_OUTCOMES = 3
"""Rows of a terminal that are left to the latest outcomes."""
SECONDS_BETWEEN_VERDICTS = 5.0


class LiveProgress(PlainProgress):
    """Draws standings, a line per slot and a bar; outcomes scroll above them."""

    def __init__(
        self,
        console: Console,
        labels: Mapping[str, str],
        total: int,
        times: TimeLeft | None = None,
        surroundings: Surroundings = NOWHERE,
    ) -> None:
        super().__init__(console, labels, total, times)
        self._surroundings = surroundings
        self._gauges = MachineGauges(surroundings.folder)
        self._curves = (
            BaselineCurves(surroundings.folder, surroundings.baseline_runs)
            if surroundings.folder
            else None
        )
        self._standings: Gauge[Sequence[Standing]] = Gauge(
            surroundings.standings, (), least=SECONDS_BETWEEN_VERDICTS
        )
        self._has_news = True
        """True if a run has ended since the last standings."""
        self._live = ResizableLive(self._draw, console, self._update)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._live.stop()

    def _changed(self) -> None:
        """Nothing: the display is drawn once a second."""

    def _end(self, job: Job, outcome: str, style: str = "") -> None:
        self._has_news = True
        super()._end(job, outcome, style)

    def _hold(self, why: Waiting | Stopping | None) -> None:
        super()._hold(why)
        self._live.redraw()

    def _update(self) -> None:
        """Measure what takes a while; called by the thread that draws, before it draws."""
        busy = self._busy()
        gpus = any(each.slot.startswith("gpu") for each in busy)
        self._gauges.update({each.job.run_id: each.directory for each in busy}, gpus=gpus)
        if self._has_news:
            before = self._standings.value
            self._has_news = False  # before they are read: a run may end meanwhile
            if self._standings.read() is before:  # not due, or they could not be read
                self._has_news = True

    def _busy(self) -> list[BusySlot]:
        return sorted(list(self.busy.values()), key=lambda each: each.slot)  # noqa: C414  (a copy: the scheduler changes it)

    def _draw(self, width: int, height: int) -> list[Text]:
        unicode = self.console.encoding.startswith("utf")
        return draw(self.screen(), width, height - ROWS_FOR_OUTCOMES, unicode=unicode)

    def screen(self) -> Screen:
        """What is to be drawn."""
        held, times = self.held, self.times
        return Screen(
            total=self.total,
            ended=self.ended,
            under_way=times.under_way,
            left=time_left_words(held, times.seconds(), times.guess()),
            failed=len(self.failed_runs),
            retried=self.retries,
            free_bytes=self._gauges.free.value,
            slots=[self._row(each) for each in self._busy()],
            stopping=isinstance(held, Stopping) or is_paused(held),
            standings=self._standings.value,
        )

    def _row(self, busy: BusySlot) -> SlotRow:
        label, steps = self.labels.get(busy.job.run_id, busy.job.run_id[:12]), busy.steps
        events = dict(busy.events)
        row = SlotRow(
            slot=busy.slot,
            label=label,
            step=busy.steps_before,
            steps=steps,
            memory=self._gauges.memory.value.get(busy.job.run_id),
            gpu=self._gauges.gpu_words(busy.slot),
        )
        return with_events(row, events, self._difference(label, events))

    def _difference(self, label: str, events: Mapping[int, Event]) -> float | None:
        arm, _, seed = label.rpartition("/")
        is_baseline = arm == self._surroundings.baseline
        if self._curves is None or is_baseline or not seed.isdecimal():
            return None
        return self._curves.difference(int(seed), events)
