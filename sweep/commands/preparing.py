"""Prepare the corpora that a command needs, with a bar that shows how far it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

from sweep.running.train import unfinished
from sweep.terminal.console import say
from sweep.trainers.supply import Supply
from sweep.workload.job import Job
from sweep.workload.workload import Workload
from sweep.workspace import Workspace
from trainer.corpora.corpus import Corpus
from trainer.corpora.prepare import Progress, Report, prepare_corpus

NAME_WIDTH = 21
"""Characters of a corpus's name beside the bar, so that the line fits into 80 columns."""


def prepare_large(
    workspace: Workspace, workload: Workload, jobs: Collection[Job], console: Console
) -> Workload:
    """Prepare the large corpora of a workload, unless all of the jobs have their results."""
    if all(supply.corpus for supply in workload.inputs.supplies):
        return workload
    store = workspace.open_to_read_if_any()
    if store is not None and not unfinished(store, list(jobs)):
        return workload
    return prepare_inputs(workspace, workload, console)


def prepare_inputs(workspace: Workspace, workload: Workload, console: Console) -> Workload:
    """Prepare the large corpora of a workload, with a bar on a terminal."""

    def make(supply: Supply) -> Corpus:
        with _bar(supply, console) as report:
            return prepare_corpus(
                supply.data, supply.source, workspace.cache, report, supply.tokenizer_file
            )

    return workload.prepare_large(make)


class TimeLeft(TimeRemainingColumn):
    """The time that is left, in words; empty while it is unknown."""

    def render(self, task: Task) -> Text:
        """Return for example `0:12:34 left`."""
        return Text.assemble(super().render(task), " left" if task.time_remaining else "")


@contextmanager
def _bar(supply: Supply, console: Console) -> Iterator[Report]:
    """Show a progress bar on a terminal, and print one line elsewhere."""
    corpus, tokenizer = supply.data.corpus, supply.data.tokenizer
    if not console.is_terminal:
        say(console, f"Preparing {corpus} ({tokenizer}).")
        yield lambda _progress, _share: None
        return
    bar = Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(16),
        TaskProgressColumn(),
        TextColumn("{task.fields[millions]:,.1f}M tokens"),
        TimeLeft(),
        console=console,
        transient=True,
    )
    with bar:
        name = corpus if len(corpus) <= NAME_WIDTH else f"…{corpus[1 - NAME_WIDTH :]}"
        task = bar.add_task(f"{name} ({tokenizer})", total=None, millions=0.0)

        def report(progress: Progress, share: float | None) -> None:
            millions = (progress.train + progress.test) / 1e6
            total = None if share is None else 1.0
            bar.update(task, total=total, completed=share or 0.0, millions=millions)

        yield report
