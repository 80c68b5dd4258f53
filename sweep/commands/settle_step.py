"""Which seeds settle the step between two arms: those that both have then."""

from __future__ import annotations

from collections.abc import Mapping

from sweep.design.plan import Plan
from sweep.errors import NotFoundError, StudyError, listed
from sweep.running.race import asked_cells
from sweep.store.store import Store
from sweep.study.seeds import further_seeds, joined
from sweep.terminal.printable import harmless, shown
from sweep.verdicts.judge import Report
from sweep.verdicts.settling import is_racing
from sweep.verdicts.steps import StudyStep


def find_step(report: Report, arm: str | None, before: str) -> StudyStep:
    """The step from `before` to `arm`. Raises NotFoundError, or StudyError while a race goes on."""
    if arm is None:
        raise StudyError(
            "--after is about one step: name its arm, too (sweep settle ARM --after OTHER)"
        )
    for step in report.steps:
        if (step.arm, step.before) == (arm, before):
            racing = [
                name for name in (arm, before) if is_racing(report.arm(name).result, report.plan)
            ]
            if racing:
                raise StudyError(
                    f"{harmless(racing[0])} is still in the race: `sweep run {report.path}` goes on with it"
                )
            return step
    known = [f"{harmless(step.arm)} after {harmless(step.before)}" for step in report.steps]
    steps = (
        f"its steps are {listed(known)}" if known else "it has no arm that adds a change to another"
    )
    raise NotFoundError(f"{report.study} has no step from {shown(before)} to {shown(arm)}; {steps}")


def no_step_to_settle(step: StudyStep) -> str:
    """Says why further seeds do not settle a step."""
    name, verdict = f"{harmless(step.arm)} after {harmless(step.before)}", step.result.verdict
    if verdict != "undecided":
        return f"{name} is {verdict} already: there is nothing to settle."
    return f"{name} is undecided, and no number of further seeds is likely to settle it: see `sweep report`."


def seeds_for_both(store: Store, plan: Plan, step: StudyStep) -> Mapping[str, list[int]]:
    """By arm: the seeds that it lacks, so that both have `seeds_to_settle` more in common.

    Seeds that one of them has come first; of a race, those that its plan still has.
    """
    is_race = plan.study.design.race is not None
    cells = asked_cells(store, plan) if is_race else set(plan.cells)
    has = {name: {seed for arm, seed in cells if arm == name} for name in (step.before, step.arm)}
    planned = joined([list(plan.arm(name).specs) for name in has])
    open_seeds = [seed for seed in planned if not all(seed in own for own in has.values())]
    open_seeds.sort(key=lambda seed: not any(seed in own for own in has.values()))
    number = step.result.seeds_to_settle or 0
    seeds = [*open_seeds, *further_seeds(planned, number)][:number]
    return {name: [seed for seed in seeds if seed not in own] for name, own in has.items()}
