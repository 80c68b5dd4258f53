"""Show the progress of runs: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from sweep.progress.watcher import Stopping, Waiting
from sweep.progress.words import stop_words, waiting_words
from sweep.store.states import RunState
from sweep.terminal.console import say
from sweep.terminal.units import duration
from sweep.workload.job import Job
from trainer.rundir.directory import Event, Result


@dataclass
class BusySlot:
    """A slot and the run that uses it."""

    job: Job
    slot: str
    steps: int
    event: Event | None = None
    """The latest event."""

    @property
    def fraction(self) -> float:
        """Fraction of the run's steps that are done, from 0 to 1."""
        return self.event.step / self.steps if self.event else 0.0


class PlainProgress:
    """Prints a line for each finished run; a `Watcher` of a scheduler."""

    def __init__(self, console: Console, labels: Mapping[str, str], total: int) -> None:
        self.console = console
        self.labels = labels
        self.total = total
        self.ended_runs: set[str] = set()
        self.began = time.monotonic()
        self.busy: dict[str, BusySlot] = {}
        """Slots with a running run, by the run's id."""
        self.shown_notes: set[str] = set()

    @property
    def ended(self) -> int:
        """Number of runs that have ended. A run that is retried has not."""
        return len(self.ended_runs)

    def started(self, job: Job, slot: str) -> None:
        self.ended_runs.discard(job.run_id)
        self.busy[job.run_id] = BusySlot(job, slot, job.spec.cost.steps)
        self._changed()

    def advanced(self, job: Job, event: Event) -> None:
        if job.run_id in self.busy:
            self.busy[job.run_id].event = event
        self._changed()

    def finished(self, job: Job, result: Result) -> None:
        outcome = (
            f"test loss {result.test_loss:.4f}"
            if result.test_loss is not None
            else f"diverged at step {result.diverged_at}: {result.cause}"
        )
        seconds = result.finished - result.started
        self._end(job, f"{outcome}  {seconds:.1f} s  {result.tokens_per_second:,.0f} tokens/s")
        for note in result.notes:
            if note not in self.shown_notes:  # the runs of a study often share a note
                self.shown_notes.add(note)
                self._print(f"{self._label(job)} {note}", "yellow")

    def elsewhere(self, job: Job, state: RunState) -> None:
        self._end(
            job,
            state.value if state is RunState.CANCELLED else f"{state}, by another sweep command",
        )

    def stopped(self, job: Job, reason: str) -> None:
        self.busy.pop(job.run_id, None)
        self._print(f"{self._label(job)} stopped, continues later: {reason}", "yellow")

    def failed(self, job: Job, reason: str, *, pause: float | None) -> None:
        if pause is None:
            self._end(job, f"FAILED: {reason}", "red")
            return
        self.busy.pop(job.run_id, None)
        later = f" in {duration(pause)}" if pause else ""
        self._print(f"{self._label(job)} failed and will be tried again{later}: {reason}", "yellow")

    def stopping(self, stopping: Stopping) -> None:
        words = stop_words(stopping)
        self._print(f"Stopping at the next step ({words}); Ctrl-C once more to stop now.", "yellow")

    def waiting(self, waiting: Waiting) -> None:
        self._print(f"Waiting: {waiting_words(waiting)}.", "yellow")

    def resumed(self) -> None:
        self._print("Resumed.", "yellow")

    def seconds_left(self) -> float | None:
        """Estimate the remaining seconds from the speed so far; None at the beginning."""
        done = self.ended + sum(slot.fraction for slot in self.busy.values())
        if done < 0.05:
            return None
        return (time.monotonic() - self.began) * (self.total - done) / done

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
        say(self.console, line, style)

    def _changed(self) -> None:
        """Redraw the display; plain lines need no redrawing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass


class LiveProgress(PlainProgress):
    """Draws a progress bar and a line per slot; outcomes scroll above them."""

    def __init__(self, console: Console, labels: Mapping[str, str], total: int) -> None:
        super().__init__(console, labels, total)
        self._bar = Progress(
            TextColumn("[bold]runs"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            expand=True,
        )
        self._task: TaskID = self._bar.add_task("runs", total=total, left="")
        self._live = Live(self._draw(), console=console, refresh_per_second=5, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._live.stop()

    def _changed(self) -> None:
        self._live.update(self._draw())

    def _draw(self) -> Group:
        left = self.seconds_left()
        words = f"about {duration(left)} left" if left is not None else ""
        self._bar.update(self._task, completed=self.ended, left=words)
        return Group(self._slots(), self._bar)

    def _slots(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for each in sorted(self.busy.values(), key=lambda each: each.slot):
            table.add_row(f"  {each.slot}", self._label(each.job), *_columns(each))
        return table


def _columns(busy: BusySlot) -> tuple[str, ...]:
    """The cells of a table row: steps, loss and speed."""
    steps = busy.steps
    if busy.event is None:
        return (f"step 0/{steps}", "", "")
    event = busy.event
    if event.step == steps:
        return (f"step {steps}/{steps}", "evaluating", "")
    loss = "loss not finite" if event.loss is None else f"loss {event.loss:.3f}"
    return (f"step {event.step}/{steps}", loss, f"{event.tokens_per_second:,.0f} tokens/s")


def watch(console: Console, labels: Mapping[str, str], total: int) -> PlainProgress:
    """Return a live display for a terminal, and plain lines for anything else."""
    kind = LiveProgress if console.is_terminal else PlainProgress
    return kind(console, labels, total)
