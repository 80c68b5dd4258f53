"""Train the runs that a command needs, and print which of them failed or are missing."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rich.console import Console

from sweep.commands.preparing import prepare_large
from sweep.commands.tracking import send_rest, tracked, trackers_of
from sweep.design.plan import Plan
from sweep.executors.registry import EXECUTORS, slots_for
from sweep.executors.slots import Slot
from sweep.forecast.disk_space import disk_space_for
from sweep.machine.processors import why_no_gpu
from sweep.progress.watcher import Stopping, Summary
from sweep.progress.words import stop_words
from sweep.queue.control import is_paused
from sweep.queue.owner import this_process
from sweep.queue.queue import Queue
from sweep.reports.document import Document
from sweep.reports.forecast_text import disk_warning
from sweep.running.budget import NO_BUDGET, Budget
from sweep.running.job_source import NO_SOURCE
from sweep.running.settings import settings_for
from sweep.running.stop_worse import WorseArms, worse_arms
from sweep.running.supplier import NoSupplier, Supplier
from sweep.running.train import train_jobs, unfinished
from sweep.store.states import FINISHED, RunState
from sweep.store.store import Store
from sweep.terminal.console import say
from sweep.trackers.tracking import TrackedStudy
from sweep.workload.job import Job, labels_of
from sweep.workload.workload import Workload
from sweep.workspace import Workspace
from trainer.words import counted

EXIT_DONE = 0
EXIT_INCOMPLETE = 1
EXIT_PAUSED = 3
EXIT_INTERRUPTED = 130
MAX_LABELS = 8
"""Maximum number of runs that one sentence names."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """The runs that a command needs."""

    workload: Workload
    jobs: Mapping[str, Job]
    """By label: ARM/SEED."""
    slots: int | None
    """Maximum number of runs at the same time; None for as many as fit this machine."""
    fail_fast: bool = False
    """Stop at the first run that fails for good."""
    budget: Budget = NO_BUDGET
    supplier: Callable[[Store, Queue, Workload], Supplier] | None = None
    """Makes what decides on further runs by the results; None if all runs are known."""
    track: Sequence[str] = ()
    """Trackers beside those of the study file."""

    @property
    def plan(self) -> Plan:
        """The plan that the runs belong to."""
        return self.workload.plan

    @property
    def tracked(self) -> TrackedStudy:
        """What trackers are told of."""
        study = self.plan.study
        return TrackedStudy(study.name, labels_of(self.jobs), trackers_of(study, self.track))


class Steps:
    """The steps of a command before and after training; a command overrides those it needs."""

    def before(self, store: Store, training: Training) -> None:
        """Called once the runs are queued."""

    def nothing_to_train(self, training: Training) -> None:
        """Called instead of `announce` if every run has a result."""

    def announce(self, store: Store, training: Training, slots: Sequence[Slot]) -> None:
        """Called before the first run starts."""

    def show(self, store: Store, training: Training) -> None:
        """Called when the runs have ended, to print what the command is for."""

    def report(self, store: Store, training: Training) -> Document | None:
        """Return the report that trackers attach; None if there is none."""


def carry_out(workspace: Workspace, training: Training, steps: Steps, console: Console) -> int:
    """Train the runs that have no result yet and show the results; returns the exit status."""
    if paused := paused_words(workspace, training):
        say(console, paused, "yellow")
        return EXIT_PAUSED
    slots = _find_slots(training, console)
    warn_of_full_disk(workspace, training, len(slots), console)
    jobs = list(training.jobs.values())
    workload = prepare_large(workspace, training.workload, jobs, console)
    training = replace(training, workload=workload)
    store = open_to_train(workspace, console)
    queue = Queue(store, this_process())
    queue.enqueue(jobs)
    steps.before(store, training)
    supplier = training.supplier(store, queue, workload) if training.supplier else NoSupplier()
    worse, summary = worse_arms(store, workload), Summary()
    missing, training = _to_train(store, training, supplier)
    with tracked(workspace.folder, training.tracked, console) as tracking:
        if missing:
            steps.announce(store, training, slots)
            workload.inputs.save_small()
            settings = replace(
                settings_for(training.plan.study, fail_fast=training.fail_fast),
                budget=training.budget,
                supplier=supplier,
                source=worse or NO_SOURCE,
                watchers=[tracking],
            )
            summary = train_jobs(workspace, store, missing, slots, settings, console)
            if summary.interrupted:
                print_continuation(summary, len(missing) + len(summary.jobs), console)
                tracking.hurry()
                return EXIT_INTERRUPTED
        else:
            steps.nothing_to_train(training)
        training = replace(training, jobs={**training.jobs, **summary.jobs})
        status = _show(store, training, steps, summary, worse, console)
        if tracking.is_on:
            send_rest(tracking, store, training.jobs.values(), steps.report(store, training))
    return status


def _find_slots(training: Training, console: Console) -> list[Slot]:
    """The slots for the runs; says why they are none of a GPU that is there."""
    study = training.plan.study
    is_here = EXECUTORS[study.jobs.executor].is_here
    if is_here and study.trainer is None and (why := why_no_gpu()):
        say(console, f"{why}: training on the CPU.", "yellow")
    return slots_for(study, training.slots)


def _show(
    store: Store,
    training: Training,
    steps: Steps,
    summary: Summary,
    worse: WorseArms | None,
    console: Console,
) -> int:
    """Print what the command is for, and which runs have no result; returns the exit status."""
    try:
        steps.show(store, training)
    finally:  # if `show` raises, the runs that failed may explain why
        status = conclude(store, _wanted(training.jobs, worse), console)
        if summary.gave_up:
            status = print_gave_up(summary.gave_up, console)
    if summary.spent:
        say(console, f"The budget is spent. To go on: {_this_command()}")
    return status


def _to_train(
    store: Store, training: Training, supplier: Supplier
) -> tuple[dict[str, Job], Training]:
    """The runs without a result by label, and the training with those that the supplier adds."""
    ids = {job.run_id for job in unfinished(store, list(training.jobs.values()))}
    missing = {label: job for label, job in training.jobs.items() if job.run_id in ids}
    if missing:
        return missing, training
    further = supplier.more(training.budget.max_runs).jobs
    return dict(further), replace(training, jobs={**training.jobs, **further})


def paused_words(workspace: Workspace, training: Training) -> str | None:
    """Say that the study is paused; None if it is not, or if there is nothing to train."""
    store, name = workspace.open_to_read_if_any(), training.plan.study.name
    if store is None:
        return None
    with store:
        missing = len(unfinished(store, list(training.jobs.values())))
        if not missing or not is_paused(store, name):
            return None
    return (
        f"{name} is paused, so {counted(missing, 'run')} to train {'is' if missing == 1 else 'are'} not "
        f"started. Type `sweep resume {name}`, then this command again."
    )


def open_to_train(workspace: Workspace, console: Console) -> Store:
    """Open or create the store; warns if it is a SQLite file on a network file system."""
    store = workspace.open_or_create()
    if store.network:
        say(
            console,
            f"{store.where} is on {store.network}: SQLite relies on file locks, which network file "
            "systems do not always keep, so only one command at a time should write to it, from one "
            "machine. For several, put the database on a local disk (--db sqlite:////tmp/sweep.db; the "
            "runs stay where they are) or use Postgres (--db postgresql+psycopg://user@host/database).",
            "yellow",
        )
    return store


def warn_of_full_disk(
    workspace: Workspace, training: Training, slots: int, console: Console
) -> None:
    """Warn if the disk is too small for the runs that have no result yet."""
    store = workspace.open_to_read_if_any()
    states = store.states([job.run_id for job in training.jobs.values()]) if store else {}
    missing = [
        job.spec.cost for job in training.jobs.values() if states.get(job.run_id) not in FINISHED
    ]
    settings, folder = training.plan.study.jobs, workspace.folder
    disk = disk_space_for(missing, training.workload, settings, slots, folder)
    if warning := disk_warning(disk, folder):
        say(console, warning, "yellow")


def _wanted(jobs: Mapping[str, Job], worse: WorseArms | None) -> dict[str, Job]:
    """The jobs without those of arms that were stopped early: these are not missing."""
    stopped = worse.stopped if worse else ()
    return {label: job for label, job in jobs.items() if label.rpartition("/")[0] not in stopped}


def conclude(store: Store, jobs: Mapping[str, Job], console: Console) -> int:
    """Print which of the jobs failed or were cancelled, if any; returns the exit status."""
    states = store.states([job.run_id for job in jobs.values()])
    cancelled = [label for label, job in jobs.items() if states[job.run_id] is RunState.CANCELLED]
    if cancelled:
        say(
            console,
            f"{len(cancelled)} of {counted(len(jobs), 'run')} "
            f"{'is' if len(cancelled) == 1 else 'are'} cancelled and missing: {_some(cancelled)}. "
            f"`sweep retry {_id(jobs[cancelled[0]])}` queues one again.",
            "yellow",
        )
    failed = [label for label, job in jobs.items() if states[job.run_id] is RunState.FAILED]
    if not failed:
        return EXIT_DONE
    say(
        console,
        f"{len(failed)} of {counted(len(jobs), 'run')} failed: {_some(failed)}. "
        f"`sweep log {_id(jobs[failed[0]])}` says why; "
        "fix that and repeat the command to try them again.",
        "red",
    )
    return EXIT_INCOMPLETE


def print_gave_up(why: Stopping, console: Console) -> int:
    """Print why the remaining runs were not tried; returns the exit status."""
    say(console, f"Given up: {stop_words(why)}. The others were not tried.", "red")
    return EXIT_INCOMPLETE


def print_continuation(summary: Summary, total: int, console: Console) -> None:
    """Print how many runs an interrupted command has finished, and how to continue it."""
    left = summary.left_running
    going_on = f"{counted(left, 'run')} {'goes' if left == 1 else 'go'} on without this command. "
    say(
        console,
        f"Stopped: {summary.finished} of {counted(total, 'run')} finished and are kept. "
        f"{going_on if left else ''}To continue: {_this_command()}",
    )


def _this_command() -> str:
    return shlex.join(["sweep", *sys.argv[1:]])


def _id(job: Job) -> str:
    """An id that is unambiguous without a study; long for a rerun, which begins like its run's."""
    return job.run_id if job.repeat_of else job.run_id[:12]


def _some(labels: Sequence[str]) -> str:
    return f"{', '.join(labels[:MAX_LABELS])}{', …' if len(labels) > MAX_LABELS else ''}"
