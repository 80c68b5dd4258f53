"""A stack: the improvements that a study has found, together; what they promise, and its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from sweep.design.arms import combined
from sweep.design.plan import Plan
from sweep.errors import StudyError, listed
from sweep.store.plan_content import PlanContent
from sweep.store.rows import StudyRow
from sweep.store.schema import runs
from sweep.store.store import Store
from sweep.study.file import BASELINE
from sweep.verdicts.judge import Report
from sweep.workload.workload import Workload

if TYPE_CHECKING:
    from analysis.stacking import Promise
    from analysis.verdict import ArmVerdict

STACK = "stack"
"""The arm with all members. Those with one left out are called `without-MEMBER`."""
LONGEST_NAME = 64
FEWEST_SEEDS = 2


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a study's verdicts make of its interventions."""

    study: str
    plan_hash: str
    """Of the plan that the verdicts are on."""
    alpha: float
    promise: Promise | None
    """Of the members, the one that promises most first; None where there is none."""
    left_out: Mapping[str, str]
    """Why each of the other arms is no member, by arm."""
    verdicts: Mapping[str, ArmVerdict]
    """By arm."""

    @property
    def members(self) -> list[str]:
        """The interventions that are stacked."""
        return list(self.promise.members) if self.promise else []

    def content(self) -> dict[str, Any]:
        """What is fixed in the stack's plan before it is trained, as JSON values."""
        return {
            "of": self.study,
            "plan": self.plan_hash,
            "promise": asdict(self.promise) if self.promise else None,
        }


def choose(report: Report, changes: Mapping[str, Mapping[str, Any]]) -> Choice:
    """The improvements that are real and worth having, less the alternatives among them.

    `changes` are the recipe fields that each arm sets; of alternatives, which set one field to
    different values, the one that promises most is taken.
    """
    from analysis.stacking import promise

    baseline, *rows = report.judgement.arms
    left_out: dict[str, str] = {
        row.arm: row.verdict or "" for row in rows if row.verdict != "better"
    }
    single = [row for row in rows if len(report.interventions[row.arm]) == 1]
    left_out |= {row.arm: "a stack itself" for row in rows if row not in single}
    better = [row.arm for row in single if row.verdict == "better"]
    frame = report.evidence.frame[["arm", "seed", "loss", "status"]]
    promised: Promise | None = None
    if better:
        shrunk = promise(frame, single, better, baseline.arm).members
        members, alternatives = _compatible(sorted(better, key=shrunk.__getitem__), changes)
        promised = promise(frame, single, members, baseline.arm)
        left_out |= {
            arm: f"an alternative to {member}, which promises more"
            for arm, member in alternatives.items()
        }
    return Choice(
        study=report.study,
        plan_hash=report.plan_hash,
        alpha=report.analysis.alpha,
        promise=promised,
        left_out=left_out,
        verdicts={row.arm: row for row in rows},
    )


def _compatible(
    arms: Sequence[str], changes: Mapping[str, Mapping[str, Any]]
) -> tuple[list[str], dict[str, str]]:
    """The arms, taken in their order, that go together; and each other one with what rules it out."""
    members: list[str] = []
    alternatives: dict[str, str] = {}
    for arm in arms:
        rivals = [member for member in members if _conflict(changes[arm], changes[member])]
        if rivals:
            alternatives[arm] = rivals[0]
        else:
            members.append(arm)
    return members, alternatives


def _conflict(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return any(one[field] != other[field] for field in one.keys() & other.keys())


def without(members: Sequence[str]) -> dict[str, str]:
    """By member, the arm that is the stack without it; none where nothing would be left."""
    return {member: f"without-{member}" for member in members} if len(members) > 1 else {}


def stack_name(study: str) -> str:
    """What the study is called that tries a study's stack."""
    return f"{study[: LONGEST_NAME - len(STACK) - 1]}-{STACK}"


def stack_plan(parent: Plan, content: Mapping[str, Any], seeds: Sequence[int]) -> Plan:
    """The plan of a stack: baseline, stack, and the stack without each of its members.

    `content` is a choice's. Raises StudyError where the members make no recipe together.
    """
    members = list(content["promise"]["members"])
    rest = {
        arm: [each for each in members if each != member]
        for member, arm in without(members).items()
    }
    study = parent.study.model_copy(
        update={
            "name": stack_name(parent.study.name),
            "interventions": {name: parent.study.interventions[name] for name in members},
            "stacks": {},
            "design": parent.study.design.model_copy(update={"seeds": list(seeds)}),
        }
    )
    try:
        arms = combined(study, {BASELINE: [], STACK: members, **rest})
    except StudyError as error:
        raise StudyError(
            f"{parent.source}: {listed(members)} cannot be stacked: {error}"
        ) from error
    return Plan(study, arms, parent.source, parent.overrides, content)


def stored_stack(store: Store, choice: Choice) -> PlanContent | None:
    """The plan of the stack that is stored, if it is the one that would be chosen now."""
    name = stack_name(choice.study)
    for study in store.studies():
        if study.name == name:
            content = store.plan(study)
            before = content.stack
            if before and (before.of, before.plan) == (choice.study, choice.plan_hash):
                return content if set(before.members) == set(choice.members) else None
    return None


def number_of_seeds(parent: Plan, members: int) -> int:
    """As many seeds as the study has, but no more runs than it has, and two at least."""
    arms = 2 + (members if members > 1 else 0)
    affordable = len(parent.arms) * len(parent.seeds) // arms
    return max(FEWEST_SEEDS, min(len(parent.seeds), affordable))


def fresh_seeds(store: Store, workload: Workload, number: int, given: Sequence[int]) -> list[int]:
    """`given` seeds and further ones, the smallest that no run of the study's arms has used."""
    plan = workload.plan
    families = {workload.job(arm.spec).family for arm in plan.arms}
    columns = [runs.c[f"{stream}_seed"] for stream in plan.study.design.vary]
    with store.begin() as connection:
        rows = connection.execute(select(*columns).where(runs.c.family.in_(families))).all()
    used = {*plan.seeds, *given, *(seed for row in rows for seed in row)}
    return [*given, *islice((seed for seed in count(1) if seed not in used), number)][:number]


def parent_of(store: Store, study: StudyRow) -> StudyRow:
    """The study that a stack was made of; the study itself where it is no stack."""
    stack = store.plan(study).stack
    return store.study(stack.of) if stack else study
