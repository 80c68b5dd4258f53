"""`sweep stack`: train the improvements of a study together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from sweep.commands.executor_choice import OF_THE_STUDY, ExecutorChoice
from sweep.commands.run import PlanSteps, TrainOptions, carry_plan_out
from sweep.commands.training import EXIT_DONE, Training
from sweep.design.plan import Plan
from sweep.errors import StudyError
from sweep.executors.registry import capacity, slots_for
from sweep.forecast.outline import Outline
from sweep.forecast.pace import find_pace, measured_pace
from sweep.history.settled import judged_plan
from sweep.reports.document import print_document
from sweep.reports.forecast_text import print_outline
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
from sweep.verdicts.stack_result import (
    NotTrained,
    StackResult,
    load_stack,
    trained_result,
    untrained_result,
)
from sweep.verdicts.stackable import check_stackable
from sweep.workload.workload import Workload, make_workload
from sweep.workspace import Workspace
from trainer.words import counted


@dataclass(frozen=True)
class StackRequest:
    """Options of `sweep stack`."""

    study: str | None
    seeds: int | None
    slots: int | None
    dry_run: bool = False
    form: Format = "table"
    output: Path | None = None
    executor: ExecutorChoice = OF_THE_STUDY


def stack(workspace: Workspace, request: StackRequest, console: Console, log: Console) -> int:
    """Choose a study's stack, train it on fresh seeds, and compare it with its prediction.

    Progress is printed to `log`, so that another program can read `console`. Returns the exit
    status.
    """
    store = workspace.open_to_read()
    study = parent_of(store, store.study(workspace.study_name(request.study)))
    _check_untuned(store, study)
    report = make_report(store, study)
    check_stackable(report)
    choice = choose(
        report,
        {arm.name: arm.changes for arm in store.arms(study.name)},
    )
    if not study.imported:
        _check_finished(store, study)
    not_trained = _untrainable(study, choice)
    if not_trained:
        _print(untrained_result(choice, not_trained), request, console)
        return EXIT_DONE
    path = workspace.study_file(request.study)
    made = judged_plan(store, study, path, "reaches those that a stack can be made of")
    parent = request.executor.applied_to(made)
    judged = make_workload(parent, workspace.cache, online=True)
    plan = _plan(store, judged, choice, request)
    pace = measured_pace(store, list(judged.jobs().values()))
    if request.dry_run:
        _print(untrained_result(choice, NotTrained.DRY_RUN, plan.seeds), request, console)
        places = capacity(plan.study, slots_for(plan.study, request.slots))
        outline = Outline(plan, make_workload(plan, workspace.cache), store)
        found = pace or find_pace(store, [], list(outline.costs.values()), places.per_machine)
        print_outline(outline, found, places.at_once, log)
        return EXIT_DONE
    steps = StackSteps(path, log, pace, choice=choice, request=request, output=console)
    return carry_plan_out(workspace, plan, steps, TrainOptions(request.slots))


@dataclass(frozen=True, kw_only=True)
class StackSteps(PlanSteps):
    """Prints the trained stack beside its prediction instead of the verdicts."""

    choice: Choice
    request: StackRequest
    output: Console

    def show(self, store: Store, training: Training) -> None:  # noqa: ARG002  (the plan is known)
        trained = load_stack(store, stack_name(self.choice.study))
        _print(trained_result(self.choice, trained), self.request, self.output)


def _check_untuned(store: Store, study: StudyRow) -> None:
    """Raise StudyError for a study with a search: its arms differ in more than interventions."""
    plan = store.plan(study)
    if plan.search or plan.tuned:
        raise StudyError(
            f"{study.name} has a search, and a stack needs arms that differ in nothing but their "
            "interventions; put the values that were found into a study of their own, and stack that"
        )


def _untrainable(study: StudyRow, choice: Choice) -> NotTrained | None:
    """Why the stack cannot be trained; None if it can."""
    if not choice.members:
        return NotTrained.NO_IMPROVEMENT
    return NotTrained.IMPORTED if study.imported else None


def _check_finished(store: Store, study: StudyRow) -> None:
    states = sum(store.states_by_arm(study.name).values(), Counter[RunState]())
    missing = sum(states[state] for state in OPEN)
    if missing:
        raise StudyError(
            f"{study.name}: {missing} of its {counted(states.total(), 'run')} "
            f"{'is' if missing == 1 else 'are'} still to be trained, and a "
            f"stack is chosen by all of them; `sweep run {study.path}` trains them"
        )


def _plan(store: Store, workload: Workload, choice: Choice, request: StackRequest) -> Plan:
    """The plan of the stack; it keeps promise and seeds of a stored plan for the same choice."""
    parent, before = workload.plan, stored_stack(store, choice)
    given = before.seeds if before else []
    number = request.seeds or len(given) or number_of_seeds(parent, len(choice.members))
    seeds = fresh_seeds(store, workload, number, given)
    stored = before.stack if before else None
    return stack_plan(parent, stored or choice.content, seeds)


def _print(result: StackResult, request: StackRequest, console: Console) -> None:
    print_document(stack_document(result), request.form, request.output, console)
