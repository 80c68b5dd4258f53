"""Build the arms of a study and check that their recipes differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sweep.design.exchange import budget_arms
from sweep.design.explicit import explicit
from sweep.design.factorial import factorial
from sweep.design.fractional import fractional
from sweep.design.leave_one_out import leave_one_out
from sweep.design.one_at_a_time import one_at_a_time
from sweep.design.pairs import pairs
from sweep.design.plan import Arm, Plan
from sweep.design.search import search_mistakes
from sweep.design.seeds import seeds_by_arm, wrong_seeds
from sweep.design.specs import make_specs
from sweep.design.stop_worse import stop_worse_mistakes
from sweep.errors import did_you_mean
from sweep.study.file import Study, changed_fields
from sweep.study.mistakes import InvalidStudyError, Keys, Mistake
from sweep.study.names import BASELINE
from sweep.terminal.printable import shown
from sweep.trainers.registry import trainer_of

DESIGNS: Mapping[str, Callable[[Study], tuple[Mapping[str, Sequence[str]], list[Mistake]]]] = {
    "one-at-a-time": one_at_a_time,
    "leave-one-out": leave_one_out,
    "pairs": pairs,
    "factorial": factorial,
    "fractional": fractional,
    "explicit": explicit,
}
"""Functions that list the interventions of each arm, by the value of `design.kind`."""


def make_plan(study: Study, source: str, overrides: Mapping[str, Any] | None = None) -> Plan:
    """Enumerate the arms of a study and check that their recipes differ.

    Raises InvalidStudyError with the mistakes of `find_arms`; `source` names the study in it.
    """
    arms, mistakes = find_arms(study)
    if mistakes:
        raise InvalidStudyError(mistakes, source)
    return Plan(study, arms, source, overrides or {})


def find_arms(
    study: Study, *, baseline_is_right: bool = True
) -> tuple[tuple[Arm, ...], list[Mistake]]:
    """The valid arms of a study, the baseline first, and the mistakes of the others.

    Mistakes are interventions that change nothing or set an unknown field, stacked interventions
    that exclude each other, a repeated name, and two arms with one recipe. If the baseline is known
    to be wrong, mistakes that depend on it are left out.
    """
    kind = study.design.kind
    if kind not in DESIGNS:
        allowed = " or ".join(repr(name) for name in DESIGNS)
        advice = did_you_mean(kind, list(DESIGNS))
        sentence = f"'design.kind' = {shown(kind)} must be {allowed}{advice}"
        return (), [Mistake(("design", "kind"), sentence)]
    if wrong := trainer_of(study).find_mistakes(study):
        return (), wrong
    interventions, mistakes = DESIGNS[kind](study)
    arms, wrong = _check_arms(study, interventions, baseline_is_right=baseline_is_right)
    searched = search_mistakes(study) if baseline_is_right else []
    stopped = list(stop_worse_mistakes(study, interventions))
    budgets, wrong_budgets = budget_arms(study, list(interventions)) if arms else ([], [])
    return (*arms, *budgets), [
        *mistakes,
        *wrong,
        *wrong_budgets,
        *_twins_of(arms, budgets),
        *searched,
        *stopped,
    ]


def build_arms(study: Study, interventions: Mapping[str, Sequence[str]]) -> tuple[Arm, ...]:
    """Build arms from the interventions of each; the baseline comes first and has none.

    Raises InvalidStudyError.
    """
    arms, mistakes = _check_arms(study, interventions)
    if mistakes:
        raise InvalidStudyError(mistakes)
    return arms


def _check_arms(
    study: Study, interventions: Mapping[str, Sequence[str]], *, baseline_is_right: bool = True
) -> tuple[tuple[Arm, ...], list[Mistake]]:
    """The arms that can be built, and all mistakes.

    A stack is not checked if one of its members is wrong. If the baseline is wrong, arms are only
    checked for mistakes that do not depend on it.
    """
    arms: list[Arm] = []
    mistakes, unusable = _wrong_alone(study, interventions)
    wrong = unusable if baseline_is_right else {BASELINE, *unusable}
    seeds = seeds_by_arm(study, interventions)
    for name, members in interventions.items():
        if len(members) > 1 and wrong & {BASELINE, *members}:
            continue
        try:
            arms.append(_arm(study, name, tuple(members), seeds[name]))
        except InvalidStudyError as error:
            all_ = BASELINE not in wrong
            mistakes += [each for each in error.mistakes if all_ or _has_field(each)]
            wrong.add(name)
    twins = [] if BASELINE in wrong else _twins(study, arms)
    return tuple(arms), [
        *mistakes,
        *wrong_seeds(study, interventions),
        *_idle_seeds(study, arms),
        *twins,
    ]


def _wrong_alone(
    study: Study, interventions: Mapping[str, Sequence[str]]
) -> tuple[list[Mistake], set[str]]:
    """Mistakes of interventions that no arm has alone, so that each is reported once.

    In a fraction, every intervention must be possible alone; in other designs only its fields are
    checked. The second result are the interventions with mistakes.
    """
    every = study.design.kind == "fractional"
    used = dict.fromkeys(each for members in interventions.values() for each in members)
    mistakes: list[Mistake] = []
    wrong: set[str] = set()
    for name in used:
        if tuple(interventions.get(name, ())) == (name,):
            continue
        try:
            _arm(study, name, (name,), study.design.seed_list())
        except InvalidStudyError as error:
            found = [each for each in error.mistakes if every or _has_field(each)]
            mistakes += found
            wrong |= {name} if found else set()
    return mistakes, wrong


def _arm(study: Study, name: str, interventions: tuple[str, ...], own_seeds: Sequence[int]) -> Arm:
    changes: dict[str, Any] = {}
    keys = _keys_of(study, name, interventions)
    try:
        for each in interventions:
            changes.update(changed_fields(study.interventions[each]))
        specs = make_specs(study, changes, own_seeds)
    except InvalidStudyError as error:
        raise InvalidStudyError([_of_arm(keys, name, each) for each in error.mistakes]) from error
    return Arm(name, interventions, changes, specs)


def _keys_of(study: Study, name: str, interventions: Sequence[str]) -> Keys:
    """The place in the study file that an arm comes from."""
    if not interventions:
        return (BASELINE,)
    if name in study.stacks:
        return ("stacks", name)
    return ("interventions", name) if tuple(interventions) == (name,) else ("design", "kind")


def _of_arm(keys: Keys, name: str, mistake: Mistake) -> Mistake:
    """A mistake of a recipe as one of the study file."""
    inside = (*keys, "set", *mistake.keys) if keys[0] == "interventions" else keys
    where = f"the arm {name!r}" if keys[0] == "design" else f"[{'.'.join(keys)}]"
    return Mistake(inside if mistake.keys else keys, f"{where} {mistake.sentence}")


def _has_field(mistake: Mistake) -> bool:
    """True if a field of an intervention is wrong by itself, whatever the baseline is."""
    return len(mistake.keys) > len(("interventions", "name", "set"))


def _idle_seeds(study: Study, arms: list[Arm]) -> Iterator[Mistake]:
    for arm in arms:
        idle = arm.spec.idle_streams()
        if "init" in idle and set(study.design.vary) == {"init"}:
            yield Mistake(
                ("design", "vary"),
                f'design.vary = ["init"], but that stream makes no difference in the arm '
                f"{arm.name!r}: {idle['init']}; vary order or dropout too",
            )
            return


def _twins_of(arms: Sequence[Arm], budgets: Sequence[Arm]) -> Iterator[Mistake]:
    """Budgets with the recipe of another arm, which sets the tokens itself."""
    names = {arm.identity: arm.name for arm in arms}
    for budget in budgets:
        if budget.identity in names:
            yield Mistake(
                ("analysis", "exchange"),
                f"the arms {names[budget.identity]!r} and {budget.name!r} (analysis.exchange) have "
                "the same recipe; remove one",
            )


def _twins(study: Study, arms: list[Arm]) -> Iterator[Mistake]:
    """Arms with the recipe of an earlier one."""
    seen: dict[str, Arm] = {}
    for arm in arms:
        twin = seen.setdefault(arm.identity, arm)
        if twin is arm:
            continue
        if twin.name == BASELINE and len(arm.interventions) == 1:
            fields = ", ".join(f"{k} = {shown(v)}" for k, v in arm.changes.items())
            sentence = (
                f"[interventions.{arm.name}] changes nothing: the baseline has {fields} already"
            )
        else:
            sentence = f"the arms {twin.name!r} and {arm.name!r} have the same recipe; remove one"
        yield Mistake(_keys_of(study, arm.name, arm.interventions), sentence)
