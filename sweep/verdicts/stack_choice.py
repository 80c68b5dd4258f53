"""Choose which improvements of a study to train together as a stack, and make the stack's plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum, auto
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from sweep.design.arms import build_arms
from sweep.design.plan import Plan
from sweep.errors import StudyError, listed
from sweep.metrics.metric import Direction
from sweep.store.plan_content import PlanContent, StackContent
from sweep.store.rows import StudyRow
from sweep.store.schema import runs
from sweep.store.store import Store
from sweep.study.design_section import DEFAULT_KIND
from sweep.study.names import BASELINE
from sweep.verdicts.judge import ArmReport, Report
from sweep.workload.workload import Workload

if TYPE_CHECKING:
    from analysis.decision import Verdict
    from analysis.stacking import Promise
    from analysis.verdict import ArmVerdict

STACK = "stack"
"""Name of the arm with all members. Arms that leave one out are called `without-MEMBER`."""
MAX_NAME_LENGTH = 64
"""Maximum number of characters of the stack's name."""
MIN_SEEDS = 2
"""Minimum number of seeds of a stack."""


class LeftOutReason(Enum):
    """Why an arm is no member of the stack."""

    NOT_BETTER = auto()
    """Its verdict is not `better`."""
    IS_STACK = auto()
    """It combines several interventions itself."""
    ALTERNATIVE = auto()
    """A member with a better predicted effect sets the same field to another value."""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """An arm that is no member of the stack."""

    reason: LeftOutReason
    verdict: Verdict | None
    member: str | None = None
    """The member that sets the same field, if the reason is ALTERNATIVE."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The interventions of a study that are stacked, and those that are not."""

    study: str
    plan_hash: str
    """Hash of the plan that was judged."""
    alpha: float
    direction: Direction
    """The direction in which the metric improves."""
    promise: Promise | None
    """Predicted effect of the stack, with the best member first; None without members."""
    left_out: Mapping[str, LeftOut]
    """The arms that are no members, by name."""
    results: Mapping[str, ArmVerdict]
    """Results of all arms but the baseline, by name."""

    @property
    def members(self) -> list[str]:
        """The interventions that are stacked."""
        return list(self.promise.members) if self.promise else []

    @property
    def content(self) -> StackContent:
        """The part of the stack's plan that is fixed before training. Needs members."""
        assert self.promise is not None  # noqa: S101  (for the type checker: there are members)
        promise = asdict(self.promise)
        json = {"of": self.study, "plan": self.plan_hash, "promise": promise}
        return StackContent(of=self.study, plan=self.plan_hash, promise=promise, json=json)


def choose(report: Report, changes: Mapping[str, Mapping[str, Any]]) -> Choice:
    """Choose the interventions that are shown to be better.

    `changes` are the recipe fields that each arm sets. If several arms set the same field to
    different values, only the one with the best predicted effect is chosen.
    """
    baseline, *others = report.arms
    rest = [arm for arm in others if arm.interventions]  # the baseline with other budgets has none
    arms = [arm for arm in rest if len(arm.interventions) == 1]
    left_out = {
        arm.name: LeftOut(reason=LeftOutReason.NOT_BETTER, verdict=arm.result.verdict)
        for arm in rest
        if arm.result.verdict != "better"
    }
    left_out |= {
        arm.name: LeftOut(reason=LeftOutReason.IS_STACK, verdict=arm.result.verdict)
        for arm in rest
        if arm not in arms
    }
    promise, alternatives = _promise(report, [arm.result for arm in arms], baseline, changes)
    return Choice(
        study=report.study,
        plan_hash=report.plan_hash,
        alpha=report.analysis.alpha,
        direction=report.direction,
        promise=promise,
        left_out=left_out | alternatives,
        results={arm.name: arm.result for arm in rest},
    )


def _promise(
    report: Report,
    results: Sequence[ArmVerdict],
    baseline: ArmReport,
    changes: Mapping[str, Mapping[str, Any]],
) -> tuple[Promise | None, dict[str, LeftOut]]:
    """The predicted effect of the compatible better arms, and the arms that conflict with them."""
    from analysis.stacking import promise

    better = [result.arm for result in results if result.verdict == "better"]
    if not better:
        return None, {}
    runs, alpha = report.evidence.judged_runs, report.analysis.alpha
    shrunk = promise(runs, results, better, baseline.name, alpha).members
    members, alternatives = _compatible(sorted(better, key=lambda arm: -abs(shrunk[arm])), changes)
    return promise(runs, results, members, baseline.name, alpha), alternatives


def _compatible(
    arms: Sequence[str], changes: Mapping[str, Mapping[str, Any]]
) -> tuple[list[str], dict[str, LeftOut]]:
    """Take the arms in order, leaving out each that conflicts with one taken before."""
    members: list[str] = []
    alternatives: dict[str, LeftOut] = {}
    for arm in arms:
        rivals = [member for member in members if _conflict(changes[arm], changes[member])]
        if rivals:
            alternatives[arm] = LeftOut(
                reason=LeftOutReason.ALTERNATIVE, verdict="better", member=rivals[0]
            )
        else:
            members.append(arm)
    return members, alternatives


def _conflict(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """True if both set the same field, to different values."""
    return any(one[field] != other[field] for field in one.keys() & other.keys())


def leave_one_out(members: Sequence[str]) -> dict[str, str]:
    """Names of the arms that leave one member out, by member; empty for a single member."""
    return {member: f"without-{member}" for member in members} if len(members) > 1 else {}


def stack_name(study: str) -> str:
    """Name of the study that trains the stack of `study`."""
    return f"{study[: MAX_NAME_LENGTH - len(STACK) - 1]}-{STACK}"


def stack_plan(parent: Plan, content: StackContent, seeds: Sequence[int]) -> Plan:
    """The plan of a stack: baseline, stack, and the stack without each of its members.

    Raises StudyError if the members together give no valid recipe.
    """
    members = content.members
    rest = {
        arm: [each for each in members if each != member]
        for member, arm in leave_one_out(members).items()
    }
    study = parent.study.model_copy(
        update={
            "name": stack_name(parent.study.name),
            "interventions": {
                name: parent.study.interventions[name].model_copy(update={"seeds": None})
                for name in members
            },
            "stacks": {},
            "analysis": parent.study.analysis.model_copy(update={"exchange": []}),
            "design": parent.study.design.model_copy(
                update={"seeds": list(seeds), "kind": DEFAULT_KIND}
            ),
        }
    )
    try:
        arms = build_arms(study, {BASELINE: [], STACK: members, **rest})
    except StudyError as error:
        raise StudyError(
            f"{parent.source}: {listed(members)} cannot be stacked: {error}"
        ) from error
    return Plan(study, arms, parent.source, parent.overrides, content.json)


def stored_stack(store: Store, choice: Choice) -> PlanContent | None:
    """The stored plan of the stack if study, plan and members are those of `choice`, else None."""
    study = store.study_if_any(stack_name(choice.study))
    content = store.plan(study) if study else None
    stack = content.stack if content else None
    if stack is None or (stack.of, stack.plan) != (choice.study, choice.plan_hash):
        return None
    return content if set(stack.members) == set(choice.members) else None


def number_of_seeds(parent: Plan, members: int) -> int:
    """The study's number of seeds; fewer (at least 2) if the stack would have more runs than it."""
    arms = 2 + (members if members > 1 else 0)
    affordable = len(parent.arms) * len(parent.seeds) // arms
    return max(MIN_SEEDS, min(len(parent.seeds), affordable))


def fresh_seeds(store: Store, workload: Workload, number: int, given: Sequence[int]) -> list[int]:
    """The `given` seeds, then the smallest seeds that no run of the study's arms has used."""
    plan = workload.plan
    families = {workload.job(arm.spec).family for arm in plan.arms}
    columns = [runs.c[f"{stream}_seed"] for stream in plan.study.design.vary]
    with store.begin() as connection:
        rows = connection.execute(select(*columns).where(runs.c.family.in_(families))).all()
    used = {*plan.arms[0].specs, *given, *(seed for row in rows for seed in row)}
    return [*given, *islice((seed for seed in count(1) if seed not in used), number)][:number]


def parent_of(store: Store, study: StudyRow) -> StudyRow:
    """The study that a stack was made of; for any other study the study itself."""
    stack = store.plan(study).stack
    return store.study(stack.of) if stack else study
