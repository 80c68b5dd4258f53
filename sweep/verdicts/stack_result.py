"""What a stack promised and what it was worth, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sweep.errors import NotFoundError
from sweep.store.plan_content import StackContent
from sweep.store.store import Store
from sweep.study.file import BASELINE
from sweep.verdicts.evidence import read_evidence
from sweep.verdicts.judge import analysis_plan
from sweep.verdicts.stack_choice import STACK, Choice, stack_name, without

if TYPE_CHECKING:
    from analysis.stacking import Confirmation, Promise
    from analysis.verdict import ArmVerdict

NEEDED = {
    "worse": "yes",
    "unstable": "yes",
    "negligible": "no",
    "identical": "no",
    "better": "it harms",
    "undecided": "undecided",
}
"""Whether the stack needs a member, by what leaving it out does to the stack."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A stack as it was planned, and what is known of it."""

    seeds: Sequence[int]
    stack: StackContent
    """What was promised when it was planned."""
    plan_hash: str
    confirmation: Confirmation
    seconds_per_run: Mapping[str, float]
    """By arm."""


def load_trial(store: Store, name: str) -> Trial:
    """What the store has of a stack. Raises NotFoundError when there is none of that name."""
    from analysis.stacking import confirm

    study = store.study(name)
    plan = store.plan(study)
    if plan.stack is None:
        raise NotFoundError(f"{name!r} is not a stack; `sweep stack` makes one")
    rules = analysis_plan([arm.name for arm in store.arms(name)], plan.analysis)
    evidence = read_evidence(store, name)
    frame = evidence.frame[["arm", "seed", "loss", "status"]]
    return Trial(
        seeds=plan.seeds,
        stack=plan.stack,
        plan_hash=study.plan_hash,
        confirmation=confirm(frame, STACK, without(plan.stack.members), rules),
        seconds_per_run=evidence.seconds_per_run,
    )


def stack_content(
    choice: Choice, trial: Trial | None, reason: str | None, planned: Sequence[int] = ()
) -> dict[str, Any]:
    """What `--format json` prints.

    Where nothing was confirmed, `reason` says why, and `planned` are the seeds that would be used.
    """
    promised = _promise(choice, trial)
    return {
        "study": choice.study,
        "plan_hash": choice.plan_hash,
        "stack": stack_name(choice.study) if trial else None,
        "stack_plan_hash": trial.plan_hash if trial else None,
        "alpha": choice.alpha,
        "seeds": list(trial.seeds) if trial else list(planned),
        "members": _members(choice, promised, trial),
        "left_out": dict(choice.left_out),
        "predicted": _predicted(promised, choice.alpha),
        "confirmed": _confirmed(trial) if trial else None,
        "gap": _gap(promised, trial, choice.alpha),
        "best": _best(trial.confirmation, choice) if trial else None,
        "reason": reason,
    }


def _promise(choice: Choice, trial: Trial | None) -> Promise | None:
    """As it was when the stack was planned."""
    if trial is None:
        return choice.promise
    from analysis.stacking import Promise

    return Promise(**trial.stack.promise)


def _members(choice: Choice, promised: Promise | None, trial: Trial | None) -> list[dict[str, Any]]:
    found = []
    for arm, predicted in promised.members.items() if promised else ():
        row = {"arm": arm, "alone": choice.verdicts[arm].effect, "predicted": predicted}
        found.append({**row, **_contribution(arm, trial)})
    return found


def _contribution(member: str, trial: Trial | None) -> dict[str, Any]:
    """What a member does in the stack: the reverse of what leaving it out does."""
    removal = trial.confirmation.removals.get(member) if trial else None
    if trial is None or removal is None:
        keys = ("contribution", "ci_low", "ci_high", "p_adjusted", "needed")
        return dict.fromkeys([*keys, "seeds_to_settle", "seconds_to_settle"])
    return {
        "contribution": _reversed(removal.effect),
        "ci_low": _reversed(removal.ci_high),
        "ci_high": _reversed(removal.ci_low),
        "p_adjusted": removal.p_adjusted,
        "needed": NEEDED[removal.verdict or "undecided"],
        "seeds_to_settle": removal.seeds_to_settle,
        "seconds_to_settle": _seconds_to_settle(removal, STACK, trial),
    }


def _seconds_to_settle(row: ArmVerdict, baseline: str, trial: Trial) -> float | None:
    from analysis.cost import seconds_to_settle

    return seconds_to_settle(row.seeds_to_settle, row.arm, baseline, trial.seconds_per_run)


def _reversed(value: float | None) -> float | None:
    return None if value is None else -value


def _predicted(promised: Promise | None, alpha: float) -> dict[str, Any] | None:
    if promised is None:
        return None
    low, high = promised.interval(alpha)
    return {
        "effect": promised.effect,
        "ci_low": low,
        "ci_high": high,
        "unshrunk": promised.unshrunk,
    }


def _confirmed(trial: Trial) -> dict[str, Any]:
    stack = trial.confirmation.stack
    names = (
        *("effect", "ci_low", "ci_high", "p", "verdict", "seeds_to_settle"),
        *("n_done", "n_diverged", "n_failed", "n_missing"),
    )
    return {
        **{name: getattr(stack, name) for name in names},
        "seconds_to_settle": _seconds_to_settle(stack, BASELINE, trial),
    }


def _gap(promised: Promise | None, trial: Trial | None, alpha: float) -> dict[str, Any] | None:
    if promised is None or trial is None:
        return None
    from analysis.stacking import gap

    found = gap(promised, trial.confirmation.stack, alpha)
    return asdict(found) if found else None


def _best(confirmation: Confirmation, choice: Choice) -> dict[str, Any] | None:
    """The stack, or what is shown to be better: the stack without a member that harms it.

    None where it is not shown to be better than the baseline.
    """
    tried: dict[tuple[str, ...], ArmVerdict] = {tuple(choice.members): confirmation.stack}
    harmful = confirmation.harmful()
    if harmful:
        tried = {
            tuple(arm for arm in choice.members if arm != member): confirmation.rest[member]
            for member in harmful
        }
    members, row = min(tried.items(), key=lambda each: each[1].effect or 0.0)
    if row.verdict != "better":
        return None
    return {
        "members": list(members),
        "effect": row.effect,
        "ci_low": row.ci_low,
        "ci_high": row.ci_high,
    }
