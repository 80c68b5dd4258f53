"""Train the runs that a study still lacks."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Protocol

from rich.console import Console

from sweep.executors.base import Executor
from sweep.executors.registry import make_executor
from sweep.executors.settings import ExecutorSettings
from sweep.executors.slots import Slot
from sweep.progress.terminal import watch
from sweep.progress.time_left import TimeLeft
from sweep.progress.watcher import Stop, Summary
from sweep.progress.watchers import Watchers
from sweep.queue.owner import this_process
from sweep.queue.presence import present
from sweep.queue.queue import Queue
from sweep.running.job_source import JobSource
from sweep.running.scheduler import Scheduler
from sweep.running.settings import Settings
from sweep.store.states import FINISHED, RunState
from sweep.store.store import Store
from sweep.verdicts.standings import surroundings_of
from sweep.workload.job import Job, labels_of
from sweep.workspace import Workspace


def unfinished(store: Store, jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs without a result that are not cancelled, in the given order."""
    states = store.states([job.run_id for job in jobs])
    over = FINISHED | {RunState.CANCELLED}
    return [job for job in jobs if states.get(job.run_id) not in over]


class GrowingJobs(JobSource, Protocol):
    """A source of jobs that names them for people."""

    @property
    def labels(self) -> Mapping[str, str]:
        """ARM/SEED of the jobs that it has given so far, by run. The same mapping each time."""

    @property
    def total(self) -> int:
        """Number of runs that there will be at most."""


def train_jobs(
    workspace: Workspace,
    store: Store,
    work: Mapping[str, Job] | GrowingJobs,
    slots: Sequence[Slot],
    settings: Settings,
    console: Console,
) -> Summary:
    """Train queued jobs, given by label (ARM/SEED), or the jobs that a source gives.

    The first Ctrl-C or SIGTERM stops the runs at their next step, the second ends them at once. A
    closed terminal (SIGHUP) stops them as the first does, unless the signal is ignored (nohup).
    Runs that outlive their scheduler are left alone by SIGTERM and SIGHUP.
    Raises StoreError or ExecutionError if training cannot continue.
    """
    queue = Queue(store, this_process())
    queue.reclaim_lost()
    if not isinstance(work, Mapping):
        jobs, labels, total = list[Job](), work.labels, work.total
        settings = replace(settings, source=work)
    else:
        jobs, labels, total = list(work.values()), labels_of(work), len(work)
    executor = _executor(workspace, slots, settings)
    try:
        times = TimeLeft(jobs, len(slots))
        surroundings = surroundings_of(store, settings.study, workspace.folder)
        with (
            present(store, settings.study),
            watch(console, labels, total, times, surroundings) as display,
        ):
            watcher = Watchers([display, *settings.watchers])
            scheduler = Scheduler(queue, executor, workspace.folder, watcher, settings)
            with stopping_on_signals(scheduler, leaving=executor.outlives_scheduler):
                return scheduler.run(jobs)
    finally:
        executor.close()


def _executor(workspace: Workspace, slots: Sequence[Slot], settings: Settings) -> Executor:
    """The executor that the settings of runs choose."""
    return make_executor(
        ExecutorSettings(
            slots=slots,
            folder=workspace.folder.resolve(),
            study=settings.study or "sweep",
            jobs=settings.jobs,
            preload=settings.preload,
        )
    )


@contextmanager
def stopping_on_signals(scheduler: Scheduler, *, leaving: bool = False) -> Iterator[None]:
    """Pass signals on to a scheduler; `train_jobs` says which.

    `leaving`: SIGTERM ends the scheduler and not its runs.
    """
    asked = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        scheduler.stop()

    def hang_up(_number: int, _frame: FrameType | None) -> None:
        scheduler.stop(Stop.HANGUP)  # kernel and shell may both send it

    terminate = hang_up if leaving else stop
    handlers = {signal.SIGINT: stop, signal.SIGTERM: terminate, signal.SIGHUP: hang_up}
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        del handlers[signal.SIGHUP]
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
