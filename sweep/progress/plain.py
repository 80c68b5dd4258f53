"""Print the progress of runs as plain lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console

from sweep.progress.time_left import TimeLeft
from sweep.progress.watcher import Stopping, Waiting
from sweep.progress.words import result_words, stop_words, waiting_words
from sweep.store.ledger import directory_name
from sweep.store.states import RunState
from sweep.terminal.console import say
from sweep.terminal.units import duration
from sweep.workload.job import Job, labels_of
from trainer.files import FULL
from trainer.rundir.directory import Event, Result


@dataclass
class BusySlot:
    """A slot and the run that uses it."""

    job: Job
    slot: str
    steps: int
    steps_before: int = 0
    """Steps that earlier attempts have done."""
    events: dict[int, Event] = field(default_factory=dict)
    """The events of this attempt by step."""

    @property
    def directory(self) -> str:
        """The name of its run directory."""
        return directory_name(self.job.run_id)


class PlainProgress:
    """Prints a line for each finished run; a `Watcher` of a scheduler."""

    def __init__(
        self,
        console: Console,
        labels: Mapping[str, str],
        total: int,
        times: TimeLeft | None = None,
    ) -> None:
        self.console = console
        self.labels = labels
        self.total = total
        self.times = times or TimeLeft([], 1)
        self.ended_runs: set[str] = set()
        self.held: Waiting | Stopping | None = None
        """Why no run is started for now."""
        self.busy: dict[str, BusySlot] = {}
        """Slots with a running run, by the run's id."""
        self.failed_runs: set[str] = set()
        """Runs that have failed for good."""
        self.retries = 0
        """Failures after which a run is tried again."""
        self.shown_notes: set[str] = set()

    @property
    def ended(self) -> int:
        """Number of runs that have ended. A run that is retried has not."""
        return len(self.ended_runs)

    def started(self, job: Job, slot: str, steps: int = 0) -> None:
        self.times.started(job, steps)
        self.ended_runs.discard(job.run_id)
        self.failed_runs.discard(job.run_id)
        self.busy[job.run_id] = BusySlot(job, slot, job.spec.cost.steps, steps)
        self._changed()

    def advanced(self, job: Job, event: Event) -> None:
        self.times.advanced(job, event.step)
        if job.run_id in self.busy:
            self.busy[job.run_id].events[event.step] = event
        self._changed()

    def finished(self, job: Job, result: Result) -> None:
        self.times.ended(job, result.steps if result.test_loss is None else None)
        seconds = result.finished - result.started
        self._end(
            job,
            f"{result_words(result, result.metrics)}  {seconds:.1f} s{_speed(result.tokens_per_second)}",
        )
        for note in result.notes:
            if note not in self.shown_notes:  # the runs of a study often share a note
                self.shown_notes.add(note)
                self._print(f"{self._label(job)} {note}", "yellow")

    def elsewhere(self, job: Job, state: RunState) -> None:
        if state is RunState.CANCELLED:
            self.times.gave_up(job)
        else:
            self.times.ended_elsewhere(job)
        self._end(
            job,
            state.value if state is RunState.CANCELLED else f"{state}, by another sweep command",
        )

    def stopped(self, job: Job, reason: str) -> None:
        self._pause(job)
        self._print(f"{self._label(job)} stopped, continues later: {reason}", "yellow")

    def failed(self, job: Job, reason: str, *, pause: float | None) -> None:
        if pause is None:
            self.times.gave_up(job)
            self.failed_runs.add(job.run_id)
            self._end(job, f"FAILED: {reason}", "red")
            return
        self.retries += 1
        self._pause(job)
        later = f" in {duration(pause)}" if pause else ""
        self._print(f"{self._label(job)} failed and will be tried again{later}: {reason}", "yellow")

    def stopping(self, stopping: Stopping) -> None:
        self._hold(stopping)
        words = stop_words(stopping)
        self._print(f"Stopping at the next step ({words}); Ctrl-C once more to stop now.", "yellow")

    def waiting(self, waiting: Waiting) -> None:
        self._hold(waiting)
        self._print(f"Waiting: {waiting_words(waiting)}.", "yellow")

    def resumed(self) -> None:
        self._hold(None)
        self._print("Resumed.", "yellow")

    def supplied(self, jobs: Mapping[str, Job], news: Sequence[str]) -> None:
        for line in news:
            self._print(line, "bold")
        self.labels = {**self.labels, **labels_of(jobs)}
        self.total += len(jobs)
        self.times.add(list(jobs.values()))
        self._changed()

    def _hold(self, why: Waiting | Stopping | None) -> None:
        self.held = why
        self._changed()

    def _pause(self, job: Job) -> None:
        """Take a run that will continue later from its slot."""
        self.times.stopped(job)
        self.busy.pop(job.run_id, None)
        self._changed()

    def _end(self, job: Job, outcome: str, style: str = "") -> None:
        self.busy.pop(job.run_id, None)
        self.ended_runs.add(job.run_id)
        width = len(str(self.total))
        self._print(f"{self.ended:>{width}}/{self.total}  {self._label(job)}  {outcome}", style)
        self._changed()

    def _label(self, job: Job) -> str:
        longest = max((len(label) for label in self.labels.values()), default=0)
        return f"{self.labels.get(job.run_id, job.run_id[:12]):<{longest}}"

    def _print(self, line: str, style: str = "") -> None:
        try:
            say(self.console, line, style)
        except OSError as error:
            if error.errno not in FULL:  # a line less in a log must not end the training
                raise

    def _changed(self) -> None:
        """Redraw the display; plain lines need no redrawing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass


def _speed(tokens_per_second: float | None) -> str:
    return "" if tokens_per_second is None else f"  {tokens_per_second:,.0f} tokens/s"
