"""Train the runs that a study still lacks."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

from rich.console import Console

from sweep.executors.registry import DEFAULT_EXECUTOR, EXECUTORS
from sweep.executors.slots import Slot
from sweep.progress.terminal import watch
from sweep.progress.watcher import Summary
from sweep.queue.owner import this_process
from sweep.queue.queue import Queue
from sweep.running.scheduler import Scheduler, Settings
from sweep.store.states import FINISHED, RunState
from sweep.store.store import Store
from sweep.workload.job import Job
from sweep.workspace import Workspace


def unfinished(store: Store, jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs without a result that are not cancelled, in the given order."""
    states = store.states([job.run_id for job in jobs])
    over = FINISHED | {RunState.CANCELLED}
    return [job for job in jobs if states.get(job.run_id) not in over]


def train_jobs(
    workspace: Workspace,
    store: Store,
    jobs: Mapping[str, Job],
    slots: Sequence[Slot],
    settings: Settings,
    console: Console,
) -> Summary:
    """Train queued jobs, given by label (ARM/SEED).

    The first Ctrl-C or SIGTERM stops the runs at their next step, the second ends them at once.
    Raises StoreError or ExecutionError if training cannot continue.
    """
    queue = Queue(store, this_process())
    queue.reclaim_lost()
    labels = {job.run_id: label for label, job in jobs.items()}
    executor = EXECUTORS[DEFAULT_EXECUTOR](slots)
    try:
        with watch(console, labels, len(jobs)) as watcher:
            scheduler = Scheduler(queue, executor, workspace.folder, watcher, settings)
            with _stopping_on_signals(scheduler):
                return scheduler.run(jobs.values())
    finally:
        executor.close()


@contextmanager
def _stopping_on_signals(scheduler: Scheduler) -> Iterator[None]:
    asked = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        scheduler.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
