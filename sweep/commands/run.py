"""`sweep run`: train what a study still lacks, and print its verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from sweep.commands.executor_choice import OF_THE_STUDY, ExecutorChoice
from sweep.commands.report import made_document, print_report
from sweep.commands.training import EXIT_DONE, Steps, Training, carry_out
from sweep.design.plan import Plan
from sweep.executors.registry import capacity
from sweep.executors.slots import Slot
from sweep.forecast.outline import Outline
from sweep.forecast.pace import Pace, find_pace, measured_pace
from sweep.history.record import save_plan
from sweep.history.settled import with_settled_seeds
from sweep.reports.document import Document
from sweep.reports.forecast_text import print_outline
from sweep.running.budget import NO_BUDGET, Budget
from sweep.running.race import Race, asked_cells
from sweep.store.store import Store
from sweep.study.overrides import Overrides
from sweep.terminal.console import say
from sweep.workload.job import label_jobs
from sweep.workload.workload import make_workload
from sweep.workspace import Workspace, read_plan


@dataclass(frozen=True)
class TrainOptions:
    """How a command trains the runs of a plan."""

    slots: int | None = None
    fail_fast: bool = False
    budget: Budget = NO_BUDGET
    track: Sequence[str] = ()
    """Trackers beside those of the study file."""


@dataclass(frozen=True)
class RunRequest:
    """The arguments of `sweep run`."""

    study: Path
    overrides: Overrides
    options: TrainOptions
    executor: ExecutorChoice = OF_THE_STUDY


def run(workspace: Workspace, request: RunRequest, console: Console) -> int:
    """Train what the study still lacks and print its verdicts; returns the exit status.

    Raises UserError, before anything is written, if the study is wrong.
    """
    workspace.check_trainable(request.study)
    plan = request.executor.applied_to(read_plan(request.study, request.overrides))
    if plan.study.search is not None:
        from sweep.commands.search import search_and_compare

        return search_and_compare(workspace, plan, request, console)
    plan = with_settled_seeds(workspace.open_to_read_if_any(), plan)
    status = carry_plan_out(workspace, plan, PlanSteps(request.study, console), request.options)
    if status != EXIT_DONE or plan.study.evaluation.instructions is None:
        return status
    from sweep.commands.judge import judge_trained

    return judge_trained(workspace, plan.study, request.options.slots, console)


@dataclass(frozen=True)
class PlanSteps(Steps):
    """Stores the plan, and prints what will be trained and, at the end, the verdicts."""

    study: Path
    console: Console
    pace: Pace | None = None
    """The pace of similar runs, if it is known."""

    def before(self, store: Store, training: Training) -> None:
        asked = {job.run_id for job in training.jobs.values()}
        jobs = training.workload.jobs()
        ids = {cell: job.run_id for cell, job in jobs.items() if job.run_id in asked}
        save_plan(store, training.plan, self.study.resolve(), ids)

    def nothing_to_train(self, training: Training) -> None:
        runs, name = len(training.jobs), training.plan.study.name
        over = "the race is over" if training.supplier else "nothing to train"
        say(self.console, f"All {runs} runs of {name} are done: {over}.")

    def announce(self, store: Store, training: Training, slots: Sequence[Slot]) -> None:
        outline = Outline(training.plan, training.workload, store)
        jobs, costs = list(training.jobs.values()), list(outline.costs.values())
        places = capacity(training.plan.study, slots)
        measured = measured_pace(store, jobs) or self.pace
        pace = measured or find_pace(store, [], costs, places.per_machine)
        print_outline(outline, pace, places.at_once, self.console)

    def show(self, store: Store, training: Training) -> None:
        print_report(store, store.study(training.plan.study.name), self.console)

    def report(self, store: Store, training: Training) -> Document:
        return made_document(store, store.study(training.plan.study.name))


def carry_plan_out(
    workspace: Workspace,
    plan: Plan,
    steps: PlanSteps,
    options: TrainOptions,
) -> int:
    """Train all runs of a plan, of a race those that it needs; returns the exit status."""
    workload = make_workload(plan, workspace.cache, online=True)
    is_race = plan.study.design.race is not None
    jobs = workload.jobs()
    if is_race:
        asked = asked_cells(workspace.open_to_read_if_any(), plan)
        jobs = {cell: job for cell, job in jobs.items() if cell in asked}
    training = Training(
        workload=workload,
        jobs=label_jobs(jobs),
        slots=options.slots,
        fail_fast=options.fail_fast,
        budget=options.budget,
        supplier=Race if is_race else None,
        track=options.track,
    )
    return carry_out(workspace, training, steps, steps.console)
