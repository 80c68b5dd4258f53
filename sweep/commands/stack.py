"""`sweep stack`: do the improvements of a study add up?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from sweep.commands.run import EXIT_DONE, RunRequest, carry_out
from sweep.design.plan import Plan
from sweep.errors import StudyError
from sweep.executors.slots import find_slots
from sweep.forecast.outline import Outline, print_outline
from sweep.forecast.pace import guessed_pace, measured_pace
from sweep.reports.document import print_document
from sweep.reports.formats import Format
from sweep.reports.stack_text import stack_document
from sweep.store.rows import StudyRow
from sweep.store.states import OPEN, RunState
from sweep.store.store import Store
from sweep.verdicts.judge import make_report
from sweep.verdicts.stack_choice import (
    Choice,
    choose,
    fresh_seeds,
    number_of_seeds,
    parent_of,
    stack_name,
    stack_plan,
    stored_stack,
)
from sweep.verdicts.stack_result import load_trial, stack_content
from sweep.workload.workload import Workload, make_workload
from sweep.workspace import Workspace, read_plan


@dataclass(frozen=True)
class StackRequest:
    """What `sweep stack` was asked for."""

    study: str | None
    seeds: int | None
    slots: int | None
    dry_run: bool = False
    form: Format = "table"
    output: Path | None = None


def stack(workspace: Workspace, request: StackRequest, console: Console, log: Console) -> int:
    """Choose a study's stack, train it on fresh seeds, and print what it kept of its promise.

    `log` is where progress goes, so that `console` can be a program's input. The exit status.
    """
    store = workspace.open()
    study = parent_of(store, store.study(workspace.study_name(request.study)))
    choice = choose(
        make_report(store, study),
        {arm.name: arm.changes for arm in store.arms(study.name)},
    )
    if not study.imported:
        _check_finished(store, study)
    reason = _reason(study, choice)
    if reason:
        _print(choice, None, reason, request, console)
        return EXIT_DONE
    path = workspace.study_file(request.study)
    judged = make_workload(_judged_plan(store, study, path), workspace.cache, online=True)
    plan = _plan(store, judged, choice, request)
    pace = measured_pace(store, list(judged.jobs().values()))
    if request.dry_run:
        _print(choice, None, "this was a dry run", request, console, plan.seeds)
        slots = len(find_slots(request.slots, plan.study.jobs.gpus_per_run))
        outline = Outline(plan, make_workload(plan, workspace.cache), store)
        print_outline(outline, pace or guessed_pace(slots), slots, log)
        return EXIT_DONE

    def show(trained: Store) -> None:
        _print(choice, trained, None, request, console)

    how = RunRequest(path, request.slots, {}, pace=pace)
    return carry_out(workspace, plan, how, log, show)


def _reason(study: StudyRow, choice: Choice) -> str | None:
    """Why there is nothing to train."""
    if not choice.members:
        return "no intervention is shown to be better than the baseline"
    if study.imported:
        return (
            f"{study.name} was imported, so nothing can be trained, and nobody knows which of "
            "its arms exclude each other"
        )
    return None


def _check_finished(store: Store, study: StudyRow) -> None:
    states = sum(store.states_by_arm(study.name).values(), Counter[RunState]())
    missing = sum(states[state] for state in OPEN)
    if missing:
        raise StudyError(
            f"{study.name}: {missing} of its {states.total()} runs are still to be trained, and a "
            f"stack is chosen by all of them; `sweep run {study.path}` trains them"
        )


def _judged_plan(store: Store, study: StudyRow, path: Path) -> Plan:
    """The plan that the verdicts are on, from the study's file. Raises StudyError if it changed."""
    plan = read_plan(path, store.plan(study).overrides)
    if plan.hash != study.plan_hash:
        raise StudyError(
            f"{path} has changed since its verdicts were reached; `sweep run {path}` reaches those "
            "that a stack can be made of"
        )
    return plan


def _plan(store: Store, workload: Workload, choice: Choice, request: StackRequest) -> Plan:
    """The stack's plan: the one that is stored, if it is of this choice, with its seeds."""
    parent, before = workload.plan, stored_stack(store, choice)
    given = before.seeds if before else []
    number = request.seeds or len(given) or number_of_seeds(parent, len(choice.members))
    seeds = fresh_seeds(store, workload, number, given)
    return stack_plan(
        parent, before.stack.json if before and before.stack else choice.content(), seeds
    )


def _print(
    choice: Choice,
    store: Store | None,
    reason: str | None,
    request: StackRequest,
    console: Console,
    planned: Sequence[int] = (),
) -> None:
    trial = load_trial(store, stack_name(choice.study)) if store else None
    content = stack_content(choice, trial, reason, planned)
    print_document(stack_document(content), request.form, request.output, console)
