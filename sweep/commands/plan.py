"""`sweep plan`: print what a study would run and what it could detect; trains and writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from sweep.commands.executor_choice import OF_THE_STUDY, ExecutorChoice
from sweep.design.plan import Plan
from sweep.errors import ExecutionError
from sweep.executors.registry import Capacity, capacity, slots_for
from sweep.forecast.designs import compare_designs
from sweep.forecast.disk_space import disk_space_for
from sweep.forecast.forecast import Forecast
from sweep.forecast.outline import Outline
from sweep.forecast.pace import Pace, find_pace, given_pace
from sweep.forecast.price import Price, training_time, wanted_effect
from sweep.history.settled import with_search_result, with_settled_seeds
from sweep.reports.design_text import design_json
from sweep.reports.document import as_json, publish
from sweep.reports.forecast_text import print_forecast
from sweep.searching.price import trials_time
from sweep.study.names import BASELINE
from sweep.study.overrides import Overrides
from sweep.workload.workload import Workload, make_workload
from sweep.workspace import Workspace, read_plan
from trainer.errors import CorpusError, WeightsError

EXIT_CANNOT_RUN = 2


@dataclass(frozen=True)
class PlanRequest:
    """The arguments of `sweep plan`."""

    study: Path
    slots: int | None
    """Runs at a time; None for as many as this machine has room for."""
    overrides: Overrides
    tokens_per_second: float | None = None
    """Speed of one run of the baseline; None to measure or guess it."""
    sd: float | None = None
    """Standard deviation of single runs of the baseline over seeds, nats; None to look it up."""
    effect: float | None = None
    """The effect that the design should detect, nats per token."""
    price_per_hour: float | None = None
    """Price of one GPU for an hour."""
    form: Literal["table", "json"] = "table"
    executor: ExecutorChoice = OF_THE_STUDY


def plan(workspace: Workspace, request: PlanRequest, console: Console) -> int:
    """Print the arms of a study and what running it takes; returns the exit status.

    If this machine cannot train it or lacks the corpus, that is printed after the plan, and the
    status is 2, as that of `sweep run` would be.
    """
    forecast = make_forecast(workspace, request)
    if request.form == "json":
        design = {"design": design_json(forecast.matrix)} if forecast.matrix else {}
        publish(as_json({**forecast.to_json(), **design}), None, console)
    else:
        print_forecast(forecast, workspace.folder, console)
    return EXIT_CANNOT_RUN if forecast.problems else 0


def make_forecast(workspace: Workspace, request: PlanRequest) -> Forecast:
    """What a study would run, how long it takes and what it could detect. Trains nothing."""
    workspace.check_trainable(request.study)
    store = workspace.open_to_read_if_any()
    plan = request.executor.applied_to(read_plan(request.study, request.overrides))
    made = with_search_result(store, plan)
    made = with_settled_seeds(store, made)
    workload, missing_input = _workload(made, workspace)
    places, missing_device = _capacity(made, request.slots)
    slots = places.at_once
    outline = Outline(made, workload, store, request.sd)
    price = Price(pace=_pace(outline, request, places.per_machine), per_hour=request.price_per_hour)
    effect = request.effect
    return Forecast(
        outline=outline,
        price=price,
        time=training_time(outline, price, slots),
        trials=trials_time(made, store, price, slots),
        effect=effect,
        wanted=wanted_effect(outline, effect, price) if effect else None,
        disk=disk_space_for(outline.missing, workload, made.study.jobs, slots, workspace.folder),
        designs=compare_designs(outline, price),
        problems=[problem for problem in (missing_input, missing_device) if problem],
    )


def _pace(outline: Outline, request: PlanRequest, slots: int) -> Pace:
    jobs, costs = list(outline.jobs.values()), list(outline.costs.values())
    given = given_pace(request.tokens_per_second, outline.costs[BASELINE])
    return given or find_pace(outline.store, jobs, costs, slots)


def _workload(made: Plan, workspace: Workspace) -> tuple[Workload | None, str | None]:
    """The workload, or the reason why there is none."""
    try:
        return make_workload(made, workspace.cache), None
    except (CorpusError, WeightsError) as error:
        return None, str(error)


def _capacity(made: Plan, wanted: int | None) -> tuple[Capacity, str | None]:
    """Runs at a time; one, and the reason, if this machine lacks the GPUs of a run."""
    try:
        return capacity(made.study, slots_for(made.study, wanted)), None
    except ExecutionError as error:
        if wanted is not None:
            raise
        return Capacity(1, 1), str(error)
