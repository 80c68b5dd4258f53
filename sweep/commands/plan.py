"""`sweep plan`: what would run, and what it could show; trains and writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from sweep.design.plan import Plan
from sweep.errors import ExecutionError
from sweep.executors.slots import find_slots
from sweep.forecast.disk_space import room_for
from sweep.forecast.outline import Outline, arm_rows, print_arms, print_outline
from sweep.forecast.pace import given_pace, guessed_pace, measured_pace
from sweep.forecast.power import Price, wanted_effect
from sweep.reports.document import as_json, publish
from sweep.study.overrides import Overrides
from sweep.terminal.console import say
from sweep.workload.workload import Workload, make_workload
from sweep.workspace import Workspace, read_plan
from trainer.errors import CorpusError, WeightsError


@dataclass(frozen=True)
class PlanRequest:
    """What `sweep plan` was asked for."""

    study: Path
    slots: int | None
    overrides: Overrides
    tokens_per_second: float | None = None
    """Of one run of the baseline, where somebody knows it."""
    sd: float | None = None
    """Of single runs of the baseline over seeds, in nats, where somebody knows it."""
    effect: float | None = None
    """That the design should see, in nats."""
    price_per_hour: float | None = None
    form: Literal["table", "json"] = "table"


def plan(workspace: Workspace, request: PlanRequest, console: Console) -> int:
    """Print the arms of a study and what running it would take; the exit status.

    Where this machine cannot train it, or has not the corpus, it says so and plans all the same.
    """
    workspace.check_trainable(request.study)
    made = read_plan(request.study, request.overrides)
    workload, absent = _workload(made, workspace)
    slots, impossible = _slots(made, request.slots)
    outline = Outline(made, workload, workspace.open_if_any(), request.sd)
    baseline = made.arms[0].spec.cost
    pace = (
        given_pace(request.tokens_per_second, baseline)
        or measured_pace(outline.store, list(outline.jobs.values()))
        or guessed_pace(slots)
    )
    price = Price(pace=pace, per_hour=request.price_per_hour)
    room = room_for(outline, slots, workspace.folder)
    problems = [problem for problem in (absent, impossible) if problem]
    if request.form == "json":
        content = _content(outline, price, slots, request.effect)
        content["disk"] = room.content()
        content["problems"] = problems
        publish(as_json(content), None, console)
        return 0
    print_arms(outline, console)
    print_outline(outline, pace, slots, console)
    if outline.power and outline.power.chance.warning:
        say(console, outline.power.chance.warning)
    for line in _further(outline, price, request.effect):
        say(console, line)
    if warning := room.warning(workspace.folder):
        say(console, warning, "yellow")
    for problem in problems:
        say(console, f"Before it can be run: {problem}.")
    return 0


def _content(outline: Outline, price: Price, slots: int, effect: float | None) -> dict[str, Any]:
    """What `--format json` prints."""
    made, missing, power = outline.plan, outline.missing, outline.power
    seconds = sum(price.pace.seconds(cost) for cost in missing)
    return {
        "study": made.study.name,
        "plan_hash": made.hash,
        "arms": arm_rows(outline),
        "runs": len(made.arms) * len(made.seeds),
        "done": len(outline.done),
        "tokens": sum(cost.tokens for cost in missing),
        "flops": sum(cost.flops for cost in missing),
        "hours": seconds / 3600,
        "hours_here": seconds / 3600 / max(1, min(slots, len(missing))),
        "pace": price.pace.source,
        "cost": price.cost(made, seconds),
        "power": power.content() if power else None,
        "wanted": wanted_effect(power, effect, price) if power and effect else None,
    }


def _further(outline: Outline, price: Price, effect: float | None) -> list[str]:
    """What it costs, and what a wanted effect takes, as far as somebody has asked."""
    seconds = sum(price.pace.seconds(cost) for cost in outline.missing)
    cost = price.cost(outline.plan, seconds)
    lines = []
    if cost is not None:
        lines.append(f"Cost of what is to be trained: {cost:,.2f}, at {price.per_hour:g} an hour.")
    if effect is None:
        return lines
    if outline.power is None:
        return [
            *lines,
            (
                f"How many seeds see {effect:g} nobody can tell without the noise; give it with --sd, or "
                "measure it with `sweep noise`."
            ),
        ]
    wanted = wanted_effect(outline.power, effect, price)
    return [*lines, *(_wanted_words(effect, kind, wanted[kind]) for kind in ("paired", "unpaired"))]


def _wanted_words(effect: float, kind: str, found: dict[str, Any]) -> str:
    manner = "paired, in the middle arm" if kind == "paired" else "unpaired"
    words = f"To see {effect:g} with 80% power {manner}: "
    if found["seeds"] is None:
        reason = "unknown until arms have run" if kind == "paired" else "more than 10,000 seeds"
        return f"{words}{reason}."
    words += f"{found['seeds']} seeds, {found['runs']:,} runs, {found['hours']:,.3g} hours"
    return f"{words}." if found["cost"] is None else f"{words}, {found['cost']:,.2f}."


def _workload(made: Plan, workspace: Workspace) -> tuple[Workload | None, str | None]:
    """The workload, or why there is none."""
    try:
        return make_workload(made, workspace.cache), None
    except (CorpusError, WeightsError) as error:
        return None, str(error)


def _slots(made: Plan, wanted: int | None) -> tuple[int, str | None]:
    """How many runs at once; one, and why, where this machine has not what a run needs."""
    try:
        return len(find_slots(wanted, made.study.jobs.gpus_per_run)), None
    except ExecutionError as error:
        if wanted is not None:
            raise
        return 1, str(error)
