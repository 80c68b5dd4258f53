"""`sweep search`: tune fields of a study's arms, then compare the arms on fresh seeds."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from sweep.commands.preparing import prepare_inputs
from sweep.commands.run import PlanSteps, RunRequest, carry_plan_out
from sweep.commands.tracking import tracked, trackers_of
from sweep.commands.training import (
    EXIT_DONE,
    EXIT_INTERRUPTED,
    EXIT_PAUSED,
    open_to_train,
    print_continuation,
    print_gave_up,
)
from sweep.design.plan import Plan
from sweep.errors import StudyError
from sweep.executors.registry import capacity, slots_for
from sweep.history.history import with_tuned
from sweep.queue.control import is_paused
from sweep.queue.owner import this_process
from sweep.queue.queue import Queue
from sweep.running.settings import settings_for
from sweep.running.train import train_jobs
from sweep.searching.mirror import Mirror
from sweep.searching.problem import Problem, problems_of
from sweep.searching.recording import save_search
from sweep.searching.source import TrialSource
from sweep.searching.trials import best_trial, trials_of
from sweep.store.search_content import TunedArm, TunedContent
from sweep.store.store import Store
from sweep.study.names import trials_name
from sweep.terminal.console import say
from sweep.trackers.tracking import TrackedStudy
from sweep.workload.workload import Workload, make_workload
from sweep.workspace import Workspace, read_plan
from trainer.words import counted


def search(workspace: Workspace, request: RunRequest, console: Console) -> int:
    """Run the trials that a study's search still lacks, then compare its arms on fresh seeds.

    Returns the exit status. Raises UserError, before anything is written, if the study is wrong.
    """
    workspace.check_trainable(request.study)
    plan = request.executor.applied_to(read_plan(request.study, request.overrides))
    if plan.study.search is None:
        raise StudyError(
            f"{request.study} has no [search]; add one (docs/search.md), or type "
            f"`sweep run {request.study}` to compare its arms as they are"
        )
    return search_and_compare(workspace, plan, request, console)


def search_and_compare(
    workspace: Workspace, plan: Plan, request: RunRequest, console: Console
) -> int:
    """Search, then compare; returns the exit status."""
    settings = plan.study.search
    assert settings is not None  # noqa: S101  (for the type checker: the callers have checked it)
    problems = problems_of(plan, settings)
    workload = make_workload(plan, workspace.cache, online=True)
    status = _run_trials(workspace, workload, problems, request, console)
    if status != EXIT_DONE:
        return status
    with workspace.open() as store:
        tuned = _tuned(store, problems)
    compared = with_tuned(plan, tuned)
    steps = PlanSteps(request.study, console)
    return carry_plan_out(workspace, compared, steps, request.options)


def _run_trials(
    workspace: Workspace,
    workload: Workload,
    problems: list[Problem],
    request: RunRequest,
    console: Console,
) -> int:
    """Run the trials that are missing; returns the exit status."""
    plan = workload.plan
    name = trials_name(plan.study.name)
    slots = slots_for(plan.study, request.options.slots)
    store = open_to_train(workspace, console)
    save_search(store, plan, problems, request.study.resolve())
    if is_paused(store, name):
        say(console, f"{name} is paused. Type `sweep resume {name}`, then this command again.")
        return EXIT_PAUSED
    workload = prepare_inputs(workspace, workload, console)
    workload.inputs.save_small()

    def tell(line: str) -> None:
        say(console, line, "yellow")

    queue, options = Queue(store, this_process()), request.options
    source = TrialSource(queue, problems, workload.job, Mirror(workspace.folder, tell))
    _announce(problems, store, capacity(plan.study, slots).at_once, console)
    settings = replace(settings_for(plan.study, fail_fast=options.fail_fast), study=name)
    trials = TrackedStudy(name, source.labels, trackers_of(plan.study, options.track))
    with tracked(workspace.folder, trials, console) as tracking:
        settings = replace(settings, watchers=[tracking])
        try:
            summary = train_jobs(workspace, store, source, slots, settings, console)
        finally:
            source.finish()
        tracking.conclude([], None)
    if summary.interrupted:
        print_continuation(summary, source.total, console)
        return EXIT_INTERRUPTED
    return print_gave_up(summary.gave_up, console) if summary.gave_up else EXIT_DONE


def _announce(problems: list[Problem], store: Store, slots: int, console: Console) -> None:
    """Print what is searched, and how much of it is done."""
    first = problems[0]
    done = sum(each.is_over for problem in problems for each in trials_of(store, problem))
    trials = first.trials * len(problems)
    arms = "" if len(problems) == 1 else f", {first.trials} for each of {len(problems)} arms"
    fields = ", ".join(domain.field for domain in first.domains)
    say(
        console,
        f"Search of {fields}: {counted(trials, 'trial')} ({first.search.sampler}{arms}), "
        f"{done} done; {counted(min(slots, trials), 'run')} at a time.",
    )


def _tuned(store: Store, problems: list[Problem]) -> TunedContent:
    """The best trial of each search. Raises StudyError if one has none."""
    arms = {}
    for problem in problems:
        best = best_trial(trials_of(store, problem), problem.direction)
        if best is None or best.value is None:
            raise StudyError(
                f"no trial of {problem.arm.name!r} has a result, so that it has no best setting to "
                f"compare; `sweep status {trials_name(problem.study.name)}` says why: correct it, or "
                "remove it from the study, and repeat the command, which keeps the other trials"
            )
        arms[problem.arm.name] = TunedArm(
            trial=best.number, values=dict(best.values), best_seen=best.value
        )
    return TunedContent(
        study=trials_name(problems[0].study.name),
        search=problems[0].search.content(),
        arms=arms,
    )
