"""Trackers of a command: started with its runs, given the rest of them and the verdicts at its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from sweep.reports.document import Document
from sweep.reports.formats import FORMATS
from sweep.store.states import FINISHED
from sweep.store.store import Store
from sweep.study.file import Study
from sweep.terminal.console import say
from sweep.trackers.base import Verdicts
from sweep.trackers.tracking import TrackedStudy, Tracking
from sweep.workload.job import Job
from trainer.files import FULL

REPORT_FORMAT = "md"
"""All of these tools show Markdown."""


@contextmanager
def tracked(folder: Path, study: TrackedStudy, console: Console) -> Iterator[Tracking]:
    """Start the trackers of a study; in the end they finish by themselves what they have got.

    `folder`: of runs.
    """

    def tell(sentence: str) -> None:
        try:
            say(console, sentence, "yellow")
        except OSError as error:
            if error.errno not in FULL:  # a line less in a log must not end the training
                raise

    tracking = Tracking(study, folder, tell)
    try:
        yield tracking
    finally:
        tracking.release()


def trackers_of(study: Study, names: Sequence[str]) -> list[str]:
    """The trackers of a study file, then those of the command line; each once."""
    return list(dict.fromkeys([*study.jobs.track, *names]))


def send_rest(
    tracking: Tracking, store: Store, jobs: Iterable[Job], report: Document | None
) -> None:
    """Send the runs with a result that trackers lack, and the report, if there is one; waits."""
    by_id = {job.run_id: job for job in jobs}
    states = store.states(list(by_id))
    finished = [job for run_id, job in by_id.items() if states.get(run_id) in FINISHED]
    tracking.conclude(finished, verdicts_of(tracking.study.name, report) if report else None)


def verdicts_of(study: str, report: Document) -> Verdicts:
    """The table of a report, as trackers show it."""
    columns = list(report.records[0]) if report.records else []
    return Verdicts(
        study=study,
        columns=columns,
        rows=[[record.get(name) for name in columns] for record in report.records],
        markdown=FORMATS[REPORT_FORMAT].write(report),
    )
