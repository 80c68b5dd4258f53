"""Compare the predicted effect of a stack with its confirmed effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from sweep.errors import NotFoundError
from sweep.metrics.metric import Direction
from sweep.store.plan_content import StackContent
from sweep.store.store import Store
from sweep.study.names import BASELINE
from sweep.verdicts.analysis_plan import analysis_plan
from sweep.verdicts.evidence import read_evidence
from sweep.verdicts.needed import NEEDED, Needed
from sweep.verdicts.stack_choice import STACK, Choice, LeftOut, leave_one_out, stack_name

if TYPE_CHECKING:
    from analysis.decision import Verdict
    from analysis.stacking import Confirmation, Gap, Promise
    from analysis.verdict import ArmVerdict


class NotTrained(Enum):
    """Why a stack was not trained."""

    NO_IMPROVEMENT = auto()
    """No intervention of the study is shown to be better."""
    IMPORTED = auto()
    """The study was imported and has no recipes to train."""
    DRY_RUN = auto()


@dataclass(frozen=True, kw_only=True)
class TrainedStack:
    """A stack's plan and the results of its runs so far."""

    seeds: Sequence[int]
    stack: StackContent
    """The members and the predicted effect, as planned."""
    plan_hash: str
    confirmation: Confirmation
    seconds_per_run: Mapping[str, float]
    """Median seconds of a run, by arm."""

    @property
    def promise(self) -> Promise:
        """The predicted effect, as stored in the plan."""
        from analysis.stacking import Promise

        return Promise(**self.stack.promise)

    def seconds_to_settle(self, row: ArmVerdict, baseline: str) -> float | None:
        """Training time that would settle a verdict; None if it is unknown or not needed."""
        from analysis.cost import seconds_to_settle

        return seconds_to_settle(row.seeds_to_settle, row.arm, baseline, self.seconds_per_run)


@dataclass(frozen=True, kw_only=True)
class MemberResult:
    """A member of a stack, or all members together as one row.

    Fields from `contribution` on are None until the stack is trained.
    """

    arm: str
    alone: float | None
    """Effect in the study, nats per token."""
    predicted: float
    """Effect in the study after shrinkage, nats per token: see `analysis.stacking`."""
    contribution: float | None = None
    """Effect of adding it to the other members, nats per token."""
    ci_low: float | None = None
    """The 1 - alpha interval of the contribution."""
    ci_high: float | None = None
    p_adjusted: float | None = None
    needed: Needed | Verdict | None = None
    """If the stack needs the member; of all members together their verdict."""
    seeds_to_settle: int | None = None
    """Further seeds that would settle an undecided `needed`."""
    seconds_to_settle: float | None = None


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Predicted effect of a stack, nats per token."""

    effect: float
    ci_low: float
    """The 1 - alpha interval."""
    ci_high: float
    unshrunk: float
    """Sum of the members' effects without shrinkage."""


@dataclass(frozen=True, kw_only=True)
class ConfirmedEffect:
    """Effect of a stack on fresh seeds, against the baseline; fields as in `ArmVerdict`."""

    effect: float | None
    ci_low: float | None
    ci_high: float | None
    p: float | None
    verdict: Verdict | None
    seeds_to_settle: int | None
    n_done: int
    n_diverged: int
    n_failed: int
    n_missing: int
    seconds_to_settle: float | None


@dataclass(frozen=True, kw_only=True)
class BestStack:
    """The stack, or the stack without a member that harms it, whichever is better."""

    members: Sequence[str]
    effect: float | None
    """Against the baseline, nats per token."""
    ci_low: float | None
    ci_high: float | None


@dataclass(frozen=True, kw_only=True)
class StackResult:
    """The predicted and the confirmed effect of a stack."""

    study: str
    """The study that the members come from."""
    plan_hash: str
    stack: str | None
    """Name of the study that trained the stack; None if it was not trained."""
    stack_plan_hash: str | None
    alpha: float
    direction: Direction
    """The direction in which the metric improves."""
    seeds: Sequence[int]
    """Seeds of the stack's runs, or those that would be used."""
    members: Sequence[MemberResult]
    left_out: Mapping[str, LeftOut]
    """The arms that are no members, by name."""
    predicted: Prediction | None
    """None without members."""
    confirmed: ConfirmedEffect | None
    """None if the stack was not trained."""
    gap: Gap | None
    """Confirmed minus predicted; None if either is unknown."""
    best: BestStack | None
    """None if the stack is not shown to be better than the baseline."""
    not_trained: NotTrained | None
    """Why the stack was not trained; None if it was."""


def load_stack(store: Store, name: str) -> TrainedStack:
    """Read a stack from the store. Raises NotFoundError if the study is not a stack."""
    from analysis.stacking import confirm

    study = store.study(name)
    plan = store.plan(study)
    if plan.stack is None:
        raise NotFoundError(f"{name!r} is not a stack; `sweep stack` makes one")
    rules = analysis_plan([arm.name for arm in store.arms(name)], plan)
    evidence = read_evidence(store, name)
    return TrainedStack(
        seeds=plan.seeds,
        stack=plan.stack,
        plan_hash=study.plan_hash,
        confirmation=confirm(evidence.judged_runs, STACK, leave_one_out(plan.stack.members), rules),
        seconds_per_run=evidence.seconds_per_run,
    )


def trained_result(choice: Choice, trained: TrainedStack) -> StackResult:
    """The result of a stack that was trained."""
    from analysis.stacking import gap

    promise, confirmation = trained.promise, trained.confirmation
    return StackResult(
        study=choice.study,
        plan_hash=choice.plan_hash,
        stack=stack_name(choice.study),
        stack_plan_hash=trained.plan_hash,
        alpha=choice.alpha,
        direction=choice.direction,
        seeds=trained.seeds,
        members=_members(choice, promise, trained),
        left_out=choice.left_out,
        predicted=_prediction(promise, choice.alpha),
        confirmed=_confirmed(trained),
        gap=gap(promise, confirmation.stack, choice.alpha),
        best=_best(confirmation, choice),
        not_trained=None,
    )


def untrained_result(
    choice: Choice, not_trained: NotTrained, seeds: Sequence[int] = ()
) -> StackResult:
    """The prediction alone; `seeds` are those that would be used."""
    promise = choice.promise
    return StackResult(
        study=choice.study,
        plan_hash=choice.plan_hash,
        stack=None,
        stack_plan_hash=None,
        alpha=choice.alpha,
        direction=choice.direction,
        seeds=seeds,
        members=_members(choice, promise, None) if promise else [],
        left_out=choice.left_out,
        predicted=_prediction(promise, choice.alpha) if promise else None,
        confirmed=None,
        gap=None,
        best=None,
        not_trained=not_trained,
    )


def _members(choice: Choice, promise: Promise, trained: TrainedStack | None) -> list[MemberResult]:
    return [
        _member(choice.results[arm], predicted, trained)
        for arm, predicted in promise.members.items()
    ]


def _member(alone: ArmVerdict, predicted: float, trained: TrainedStack | None) -> MemberResult:
    """The result of one member; its contribution is minus the effect of leaving it out."""
    removal = trained.confirmation.removals.get(alone.arm) if trained else None
    if trained is None or removal is None:
        return MemberResult(arm=alone.arm, alone=alone.effect, predicted=predicted)
    return MemberResult(
        arm=alone.arm,
        alone=alone.effect,
        predicted=predicted,
        contribution=_negated(removal.effect),
        ci_low=_negated(removal.ci_high),
        ci_high=_negated(removal.ci_low),
        p_adjusted=removal.p_adjusted,
        needed=NEEDED[removal.verdict or "undecided"],
        seeds_to_settle=removal.seeds_to_settle,
        seconds_to_settle=trained.seconds_to_settle(removal, STACK),
    )


def _negated(value: float | None) -> float | None:
    return None if value is None else -value


def _prediction(promise: Promise, alpha: float) -> Prediction:
    low, high = promise.interval(alpha)
    return Prediction(effect=promise.effect, ci_low=low, ci_high=high, unshrunk=promise.unshrunk)


def _confirmed(trained: TrainedStack) -> ConfirmedEffect:
    row = trained.confirmation.stack
    return ConfirmedEffect(
        effect=row.effect,
        ci_low=row.ci_low,
        ci_high=row.ci_high,
        p=row.p,
        verdict=row.verdict,
        seeds_to_settle=row.seeds_to_settle,
        n_done=row.n_done,
        n_diverged=row.n_diverged,
        n_failed=row.n_failed,
        n_missing=row.n_missing,
        seconds_to_settle=trained.seconds_to_settle(row, BASELINE),
    )


def _best(confirmation: Confirmation, choice: Choice) -> BestStack | None:
    """The stack or, if members harm it, the best of the stacks without a harmful member.

    None if that one is not shown to be better than the baseline.
    """
    candidates = {
        tuple(arm for arm in choice.members if arm != harmful): confirmation.rest[harmful]
        for harmful in confirmation.harmful()
    } or {tuple(choice.members): confirmation.stack}
    members, row = min(candidates.items(), key=lambda each: each[1].effect or 0.0)
    if row.verdict != "better":
        return None
    return BestStack(members=members, effect=row.effect, ci_low=row.ci_low, ci_high=row.ci_high)
