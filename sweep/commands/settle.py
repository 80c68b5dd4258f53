"""`sweep settle`: train the further seeds that undecided arms need, and print the verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from sweep.commands.executor_choice import OF_THE_STUDY, ExecutorChoice
from sweep.commands.run import PlanSteps
from sweep.commands.settle_step import find_step, no_step_to_settle, seeds_for_both
from sweep.commands.training import EXIT_DONE, Training, carry_out
from sweep.design.plan import Plan
from sweep.errors import NotFoundError, StudyError, did_you_mean, listed
from sweep.executors.registry import capacity, slots_for
from sweep.history.record import save_plan
from sweep.history.settled import judged_plan
from sweep.running.budget import Budget
from sweep.running.race import Race
from sweep.store.rows import StudyRow
from sweep.store.states import FINISHED
from sweep.store.store import Store
from sweep.study.seeds import further_seeds
from sweep.terminal.console import say
from sweep.terminal.printable import harmless
from sweep.verdicts.further import Costs, affordable_seeds
from sweep.verdicts.judge import ArmReport, Report, make_report
from sweep.workload.job import label_jobs
from sweep.workload.workload import Workload, make_workload
from sweep.workspace import Workspace, check_trained


@dataclass(frozen=True, kw_only=True)
class SettleRequest:
    """The arguments of `sweep settle`."""

    arm: str | None
    study: str | None
    slots: int | None
    budget: Budget
    executor: ExecutorChoice = OF_THE_STUDY
    after: str | None = None
    """The arm that `arm` adds a change to, if the step between the two is to be settled."""


@dataclass(frozen=True)
class SettleSteps(PlanSteps):
    """Stores the plan with the runs that the study has, and those that are trained."""

    def before(self, store: Store, training: Training) -> None:
        wanted = {job.run_id for job in training.jobs.values()}
        has = {(each.arm, each.seed) for each in store.study_losses(training.plan.study.name)}
        jobs = training.workload.jobs()
        ids = {
            cell: job.run_id for cell, job in jobs.items() if job.run_id in wanted or cell in has
        }
        save_plan(store, training.plan, self.study.resolve(), ids)


def settle(workspace: Workspace, request: SettleRequest, console: Console) -> int:
    """Give undecided arms the seeds that the report asks for, and judge; returns the exit status.

    Raises UserError, before anything is written, if the study's file has changed, or if the budget
    has no room for a seed.
    """
    with workspace.open_to_read() as store:
        study = store.study(workspace.study_name(request.study))
        _check(store, study)
        report = make_report(store, study)
        step = None if request.after is None else find_step(report, request.arm, request.after)
        arms = [] if step else _undecided(report, request.arm)
        if not arms and not (step and step.result.seeds_to_settle):
            say(
                console,
                no_step_to_settle(step) if step else _nothing_to_settle(report, request.arm),
            )
            return EXIT_DONE
        then = "judges the changed study, and then seeds can be added"
        judged = judged_plan(store, study, Path(study.path), then)
        plan = request.executor.applied_to(judged)
        further = {arm.name: _wanted(plan, arm) for arm in arms}
        wanted = seeds_for_both(store, plan, step) if step else further
        workload = make_workload(plan.with_settled(wanted), workspace.cache, online=True)
        slots = capacity(plan.study, slots_for(plan.study, request.slots)).at_once
        costs = _costs(store, workload, report, request.budget, slots)
        seeds = affordable_seeds(wanted, costs, together=step is not None)
    if not seeds:
        one = list(wanted) if step else [arms[0].name]
        raise StudyError(
            f"the budget has no room for one more seed: that is a run of {listed(map(harmless, one))} "
            "and one of the baseline; raise --max-runs or --max-hours"
        )
    say(console, _announcement(seeds, wanted))
    workload = Workload(plan.with_settled(seeds), workload.inputs)
    return _train(workspace, workload, seeds, request, console)


def _train(
    workspace: Workspace,
    workload: Workload,
    seeds: Mapping[str, Sequence[int]],
    request: SettleRequest,
    console: Console,
) -> int:
    plan, every = workload.plan, workload.jobs()
    baseline, is_race = plan.arms[0].name, plan.study.design.race is not None
    own = {baseline, *seeds}
    jobs = {cell: job for cell, job in every.items() if cell[0] in own}
    if is_race and request.after is not None:  # its other seeds do not concern this step
        asked = {(arm, seed) for name in seeds for seed in seeds[name] for arm in (name, baseline)}
        jobs = {cell: job for cell, job in jobs.items() if cell in asked}
    steps = SettleSteps(Path(plan.source), console)
    training = Training(
        workload=workload,
        jobs=label_jobs(jobs),
        slots=request.slots,
        budget=request.budget,
        supplier=Race if is_race and request.after is None else None,
    )
    return carry_out(workspace, training, steps, console)


def _check(store: Store, study: StudyRow) -> None:
    """Raise StudyError for a study that this command cannot train."""
    check_trained(study)
    if stack := store.plan(study).stack:
        raise StudyError(
            f"{study.name} is the stack of {stack.of}; `sweep stack {stack.of} --seeds N` gives it "
            "further seeds"
        )


def _undecided(report: Report, arm: str | None) -> list[ArmReport]:
    """The arms with a number of seeds that may settle them. Raises NotFoundError."""
    names = [each.name for each in report.arms[1:]]
    if arm is not None and arm not in names:
        advice = did_you_mean(arm, names) or f"; its arms are {listed(names)}"
        raise NotFoundError(f"{report.study} has no arm {arm!r} to settle{advice}")
    chosen = [each for each in report.arms[1:] if arm in (None, each.name)]
    return [each for each in chosen if each.settling]


def _nothing_to_settle(report: Report, arm: str | None) -> str:
    if arm is None:
        return f"No arm of {report.study} can be settled by further seeds: see `sweep report`."
    result = report.arm(arm).result
    if report.plan.race_start is not None and result.seeds_to_settle:
        return f"{harmless(arm)} is still in the race: `sweep run {report.path}` goes on with it."
    if result.verdict != "undecided":
        return f"{harmless(arm)} is {result.verdict} already: there is nothing to settle."
    return (
        f"{harmless(arm)} is undecided, and no number of further seeds is likely to settle it: see "
        "`sweep report`."
    )


def _wanted(plan: Plan, arm: ArmReport) -> list[int]:
    """The further seeds that the report asks for."""
    return further_seeds(list(plan.arm(arm.name).specs), arm.result.seeds_to_settle or 0)


def _costs(store: Store, workload: Workload, report: Report, budget: Budget, slots: int) -> Costs:
    jobs = workload.jobs()
    states = store.states([job.run_id for job in jobs.values()])
    return Costs(
        baseline=workload.plan.arms[0].name,
        trained={cell for cell, job in jobs.items() if states.get(job.run_id) in FINISHED},
        slots=slots,
        seconds=report.evidence.seconds_per_run,
        max_runs=budget.max_runs,
        max_seconds=budget.max_seconds,
    )


def _announcement(seeds: Mapping[str, Sequence[int]], wanted: Mapping[str, Sequence[int]]) -> str:
    """`Further seeds, also for the baseline: clip 12 of 46.`"""
    numbers = [
        f"{harmless(arm)} {len(some)}"
        + (f" of {len(wanted[arm])}" if len(some) < len(wanted[arm]) else "")
        for arm, some in seeds.items()
    ]
    return f"Further seeds, also for the baseline: {listed(numbers)}."
