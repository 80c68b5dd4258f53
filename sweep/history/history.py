"""The history of a study's plan, and how the study's file compares with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sweep.design.plan import Plan
from sweep.design.search import tuned_plan
from sweep.errors import StudyError
from sweep.history.changes import PlanChange, plan_changes
from sweep.history.looks import recorded_looks
from sweep.history.withdrawn import WithdrawnArm, find_withdrawn
from sweep.store.plan_content import PlanContent, PlannedLook
from sweep.store.rows import StudyRow
from sweep.store.search_content import TunedContent
from sweep.store.store import Store
from sweep.workspace import is_there, read_plan


class FileState(StrEnum):
    """How a study's file compares with the plan that was last run."""

    AS_PLANNED = "as planned"
    CHANGED = "changed"
    UNREADABLE = "unreadable"
    """The file is not a valid study."""
    GONE = "gone"
    IMPORTED = "imported"
    """The study was imported: its file has results, not a plan."""
    STACK = "stack"
    """The study is a stack, which has no file."""


@dataclass(frozen=True, kw_only=True)
class Existed:
    """The number of runs that had results before a plan, so that these could be known."""

    runs: int
    of: int
    """All runs of the plan."""
    by_arm: Mapping[str, int]
    """The arms that have such runs, each with their number."""


@dataclass(frozen=True, kw_only=True)
class PlanHistory:
    """The plan of a report, compared with the other plans of its study."""

    stored: float
    """Unix time at which the study first had this plan."""
    first_stored: float
    """Unix time of the study's first plan."""
    earlier: int
    """Number of other plans that the study has had."""
    changes: Sequence[PlanChange]
    """Changes from the first plan to this one."""
    path: str
    """The study's file."""
    file: FileState
    file_changes: Sequence[PlanChange]
    """Changes from this plan to the one in the file; empty unless `file` is CHANGED."""
    existed: Existed | None
    """Runs that had results before this plan; None if that was not recorded."""
    looks: Mapping[str, PlannedLook]
    """By arm: the look that was had at it before this plan."""
    withdrawn: Sequence[WithdrawnArm]
    """Arms with runs that are no longer in the plan."""

    @property
    def questions_withdrawn(self) -> int:
        """Number of withdrawn arms that count in the family."""
        return sum(arm.in_family for arm in self.withdrawn)


def plan_history(store: Store, study: StudyRow) -> PlanHistory:
    """The history of a study's plan, and how its file compares with it."""
    known = store.plans(study.name)
    contents = [PlanContent.from_json(row.content) for row in known]
    index = next(i for i, row in enumerate(known) if row.hash == study.plan_hash)
    current = contents[index]
    state, file_changes = _compare_file(study, current)
    return PlanHistory(
        stored=known[index].stored,
        first_stored=known[0].stored,
        earlier=len(known) - 1,
        changes=plan_changes(contents[0], current),
        path=study.path,
        file=state,
        file_changes=file_changes,
        existed=_existed(current),
        looks=recorded_looks(store, study.name, current),
        withdrawn=find_withdrawn(store, current, contents),
    )


def _existed(plan: PlanContent) -> Existed | None:
    if plan.existed is None:
        return None
    counts = {arm: len(seeds) for arm, seeds in plan.existed.items()}
    return Existed(
        runs=sum(counts.values()),
        of=sum(len(plan.seeds_of(arm)) for arm in plan.arms),
        by_arm=counts,
    )


def _compare_file(study: StudyRow, current: PlanContent) -> tuple[FileState, list[PlanChange]]:
    if study.imported:
        return FileState.IMPORTED, []
    if current.stack:
        return FileState.STACK, []
    path = Path(study.path)
    try:
        plan = read_again(path, current)
    except StudyError:
        return (FileState.UNREADABLE if is_there(path) else FileState.GONE), []
    if plan.hash == study.plan_hash:
        return FileState.AS_PLANNED, []
    return FileState.CHANGED, plan_changes(current, PlanContent.from_json(plan.content()))


def read_again(path: Path, stored: PlanContent) -> Plan:
    """Read a study's file with the overrides, the tuned values and the settled seeds of a stored plan.

    Raises StudyError if that is impossible by now.
    """
    plan = with_tuned(read_plan(path, stored.overrides), stored.tuned)
    return plan.with_settled(stored.settled)


def with_tuned(plan: Plan, tuned: TunedContent | None) -> Plan:
    """The plan of a file with the values that a search has found; the plan itself without a search.

    Raises StudyError if the values do not fit the file any more.
    """
    search = plan.study.search
    if search is None or tuned is None:
        return plan
    best = {arm: each.values for arm, each in tuned.arms.items()}
    return tuned_plan(plan, search, best, {**tuned.json, "search": search.content()})
