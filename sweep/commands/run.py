"""`sweep run`: enumerate, train what is missing, judge."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from sweep.commands.data import prepare_large
from sweep.commands.report import print_report
from sweep.design.plan import Plan
from sweep.executors.slots import find_slots
from sweep.forecast.disk_space import disk_space_for
from sweep.forecast.outline import Outline
from sweep.forecast.pace import Pace, guessed_pace, measured_pace
from sweep.history.record import save_plan
from sweep.progress.watcher import Stopping, Summary
from sweep.progress.words import stop_words
from sweep.queue.owner import this_process
from sweep.queue.queue import Queue
from sweep.reports.forecast_text import disk_warning, print_outline
from sweep.running.scheduler import Settings
from sweep.running.train import train_jobs, unfinished
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.study.overrides import Overrides
from sweep.terminal.console import say
from sweep.workload.job import Job
from sweep.workload.workload import make_workload
from sweep.workspace import Workspace, read_plan

EXIT_DONE = 0
EXIT_INCOMPLETE = 1
EXIT_INTERRUPTED = 130


@dataclass(frozen=True)
class RunRequest:
    """What `sweep run` was asked for."""

    study: Path
    slots: int | None
    overrides: Overrides
    fail_fast: bool = False
    pace: Pace | None = None
    """Where it is known from other runs."""


def run(workspace: Workspace, request: RunRequest, console: Console) -> int:
    """Train what the study still lacks and print its verdicts; the exit status.

    Raises UserError, before anything is written, when the study makes no sense.
    """
    workspace.check_trainable(request.study)
    plan = read_plan(request.study, request.overrides)

    def show(store: Store) -> None:
        print_report(store, store.study(plan.study.name), console)

    return carry_out(workspace, plan, request, console, show)


def carry_out(
    workspace: Workspace,
    plan: Plan,
    request: RunRequest,
    console: Console,
    show: Callable[[Store], None],
) -> int:
    """Store a plan, train what it still lacks, and `show` what came of it; the exit status."""
    workload = make_workload(plan, workspace.cache, online=True)
    places = find_slots(request.slots, plan.study.jobs.gpus_per_run)
    outline = Outline(plan, workload, workspace.open_if_any())
    disk = disk_space_for(outline, len(places), workspace.folder)
    if warning := disk_warning(disk, workspace.folder):
        say(console, warning, "yellow")
    workload = prepare_large(workspace, workload, workload.jobs().values(), console)
    store = workspace.open_or_create()
    jobs = workload.jobs()
    Queue(store, this_process()).enqueue(jobs.values())
    save_plan(store, plan, request.study.resolve(), {key: job.run_id for key, job in jobs.items()})
    missing = unfinished(store, list(jobs.values()))
    if not missing:
        say(console, f"All {len(jobs)} runs of {plan.study.name} are done: nothing to train.")
        show(store)
        return conclude(store, label_jobs(jobs), console)
    outline = Outline(plan, workload, store)
    pace = measured_pace(store, list(jobs.values())) or request.pace or guessed_pace(len(places))
    print_outline(outline, pace, len(places), console)
    workload.inputs.save_small()
    labels = {label: job for label, job in label_jobs(jobs).items() if job in missing}
    settings = Settings(plan.study.jobs, plan.study.name, request.fail_fast)
    summary = train_jobs(workspace, store, labels, places, settings, console)
    if summary.interrupted:
        print_continuation(summary, len(labels), console)
        return EXIT_INTERRUPTED
    show(store)
    status = conclude(store, label_jobs(jobs), console)
    return print_surrender(summary.gave_up, console) if summary.gave_up else status


def label_jobs(jobs: Mapping[tuple[str, int], Job]) -> dict[str, Job]:
    """By the labels that people know them by: ARM/SEED."""
    return {f"{arm}/{seed}": job for (arm, seed), job in jobs.items()}


def conclude(store: Store, jobs: Mapping[str, Job], console: Console) -> int:
    """Say which of the jobs failed or were cancelled, if any; the exit status."""
    states = store.states([job.run_id for job in jobs.values()])
    cancelled = [label for label, job in jobs.items() if states[job.run_id] is RunState.CANCELLED]
    if cancelled:
        say(
            console,
            f"{len(cancelled)} of {len(jobs)} runs are cancelled and missing: {_some(cancelled)}. "
            f"`sweep retry {_id(jobs[cancelled[0]])}` queues one again.",
            "yellow",
        )
    failed = [label for label, job in jobs.items() if states[job.run_id] is RunState.FAILED]
    if not failed:
        return EXIT_DONE
    say(
        console,
        f"{len(failed)} of {len(jobs)} runs failed: {_some(failed)}. "
        f"`sweep log {_id(jobs[failed[0]])}` says why; the same command tries them again.",
        "red",
    )
    return EXIT_INCOMPLETE


def _id(job: Job) -> str:
    """What names a run whichever study is meant; that of a rerun begins with its run's."""
    return job.run_id if job.repeat_of else job.run_id[:12]


def _some(labels: Sequence[str]) -> str:
    return f"{', '.join(labels[:8])}{', …' if len(labels) > 8 else ''}"


def print_surrender(why: Stopping, console: Console) -> int:
    """Say why a command has not tried all that it could have; the exit status."""
    say(console, f"Given up: {stop_words(why)}. The others were not tried.", "red")
    return EXIT_INCOMPLETE


def print_continuation(summary: Summary, total: int, console: Console) -> None:
    """Say what an interrupted command has kept, and how it goes on."""
    say(
        console,
        f"Stopped: {summary.finished} of {total} runs finished and are kept. "
        f"To continue: {shlex.join(['sweep', *sys.argv[1:]])}",
    )
