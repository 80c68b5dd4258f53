"""The cost of the command that may settle an undecided verdict.

`sweep settle` trains the further seeds of the arm and of the baseline; for a stack, `sweep stack`
trains them for all of its arms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import RowMapping, select

from sweep.errors import ExecutionError, StudyError
from sweep.executors.registry import EXECUTORS, capacity, slots_for
from sweep.executors.slots import find_slots
from sweep.store.plan_content import PlanContent
from sweep.store.rows import StudyRow
from sweep.store.schema import arms, planned_runs, runs
from sweep.store.select_in import select_in
from sweep.store.states import FINISHED, RunState
from sweep.store.store import Store
from sweep.study.file import load_study
from sweep.study.names import STREAMS
from sweep.study.seeds import further_seeds
from sweep.verdicts.evidence import Evidence
from sweep.verdicts.further import or_average

if TYPE_CHECKING:
    from analysis.verdict import ArmVerdict


@dataclass(frozen=True, kw_only=True)
class Settling:
    """The further training that may settle an undecided arm: see `analysis.settle`."""

    seeds: int
    """Seeds that the arm then has; of a stack, all of its arms."""
    runs: int
    """Runs that the command trains, without those that are done."""
    seconds: float | None
    """From start to end, with `slots` runs at a time; None if no run was timed."""
    slots: int
    """Runs at a time on this machine."""


def find_settling(
    store: Store, study: StudyRow, verdicts: Sequence[ArmVerdict], evidence: Evidence
) -> dict[str, Settling]:
    """The training that settles each undecided arm; empty for an imported study.

    Arms that are still in a race have none: the race goes on with them.
    """
    plan = store.plan(study)
    wanted = {
        arm.arm: arm.seeds_to_settle
        for arm in verdicts
        if arm.seeds_to_settle and not is_racing(arm, plan)
    }
    if not wanted or study.imported:
        return {}
    slots = _slots(study)
    trained = _trained_seeds(store, study.name, plan)
    open_now, planned = _runs_to_train(evidence), set(plan.seeds_of(plan.baseline))
    found = {}
    for arm, further in wanted.items():
        own = plan.seeds_of(arm)
        seeds = set(further_seeds(own, further))
        trains = plan.arms if plan.stack else (plan.baseline, arm)
        numbers = {
            name: open_now.get(name, 0) + len(seeds - trained.get(name, set())) for name in trains
        }
        # Some of these are runs of the plan that the baseline has not ended: `open_now` has them.
        numbers[plan.baseline] -= len((seeds & planned) - trained.get(plan.baseline, set()))
        found[arm] = Settling(
            seeds=len(own) + further,
            runs=sum(numbers.values()),
            seconds=_elapsed(numbers, evidence.seconds_per_run, slots),
            slots=slots,
        )
    return found


def is_racing(arm: ArmVerdict, plan: PlanContent) -> bool:
    """True if an undecided arm of a race has not had all of its seeds: `sweep run` goes on with it."""
    if plan.race_start is None or arm.verdict != "undecided":
        return False
    return arm.n_ended < len(plan.seeds_of(arm.arm))


def _trained_seeds(store: Store, study: str, plan: PlanContent) -> dict[str, set[int]]:
    """Seeds of runs that are done, by arm; also those that `sweep noise` or another study trained."""
    of_arms = select(arms.c.name, runs.c.family).select_from(planned_runs)
    columns = [runs.c[f"{stream}_seed"] for stream in STREAMS]
    done = select(runs.c.family, *columns).where(
        runs.c.state.in_(FINISHED), runs.c.repeat_of.is_(None)
    )
    with store.begin() as connection:
        rows = connection.execute(of_arms.where(arms.c.study == study).distinct())
        names = {family: name for name, family in rows}
        seeds: dict[str, set[int]] = {}
        for row in select_in(connection, done, runs.c.family, list(names)):
            if (seed := _seed(row, plan)) is not None:
                seeds.setdefault(names[row["family"]], set()).add(seed)
    return seeds


def _seed(row: RowMapping, plan: PlanContent) -> int | None:
    """The seed of the study that a run has; None if its streams have other seeds."""
    vary = plan.vary or STREAMS
    seed = row[f"{vary[0]}_seed"]
    same = all(
        row[f"{stream}_seed"] == (seed if stream in vary else plan.hold) for stream in STREAMS
    )
    return seed if same else None


def _runs_to_train(evidence: Evidence) -> dict[str, int]:
    """Runs of the present plan that the next command trains, too, by arm."""
    frame = evidence.frame
    trained_next = {RunState.QUEUED, RunState.RUNNING, RunState.FAILED}
    counts = frame[frame["status"].isin(trained_next)].groupby("arm").size()
    return {str(arm): int(number) for arm, number in counts.items()}


def _elapsed(
    numbers: Mapping[str, int], seconds_per_run: Mapping[str, float], slots: int
) -> float | None:
    """Seconds of so many runs by arm; None if no run was timed."""
    if not seconds_per_run:
        return None
    each = or_average(seconds_per_run, numbers)
    total = sum(number * each[arm] for arm, number in numbers.items())
    return max(total / slots, *each.values())


def _slots(study: StudyRow) -> int:
    """Runs at a time that `sweep run` of the study would train here; 1 if a cluster has to be asked."""
    try:
        found = load_study(Path(study.path))
    except StudyError:
        return len(find_slots())
    try:
        asks = EXECUTORS[found.jobs.executor].asks_cluster
        return capacity(found, slots_for(found, 1 if asks else None)).at_once
    except ExecutionError:
        return 1
