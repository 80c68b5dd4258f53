"""`sweep plan`: what would run, and what it could show; trains and writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from sweep.console import say
from sweep.design import Plan
from sweep.errors import ExecutionError
from sweep.estimate import given_pace, guessed_pace, measured_pace
from sweep.jobs import Workload, make_workload
from sweep.outline import Outline, print_arms, print_outline
from sweep.override import Overrides
from sweep.slots import find_slots
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


def plan(workspace: Workspace, request: PlanRequest, console: Console) -> int:
    """Print the arms of a study and what running it would take; the exit status.

    Where this machine cannot train it, or has not the corpus, it says so and plans all the same.
    """
    workspace.check_trainable(request.study)
    made = read_plan(request.study, request.overrides)
    workload, absent = _workload(made, workspace)
    slots, impossible = _slots(made, request.slots)
    outline = Outline(made, workload, workspace.open_if_any())
    baseline = made.arms[0].recipe
    pace = (
        given_pace(request.tokens_per_second, baseline)
        or measured_pace(outline.store, list(outline.jobs.values()))
        or guessed_pace(slots)
    )
    print_arms(outline, console)
    print_outline(outline, pace, slots, console)
    for problem in filter(None, (absent, impossible)):
        say(console, f"Before it can be run: {problem}.")
    return 0


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
