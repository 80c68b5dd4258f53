"""Build the arms of a study and check that their recipes differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sweep.design.one_at_a_time import one_at_a_time
from sweep.design.plan import Arm, Plan
from sweep.errors import StudyError, did_you_mean
from sweep.study.file import BASELINE, Study, changed_fields
from sweep.terminal.printable import shown
from sweep.trainers.registry import trainer_of

DESIGNS: Mapping[str, Callable[[Study], Mapping[str, Sequence[str]]]] = {
    "one-at-a-time": one_at_a_time,
}
"""Functions that list the interventions of each arm, by the value of `design.kind`."""


def make_plan(study: Study, source: str, overrides: Mapping[str, Any] | None = None) -> Plan:
    """Enumerate the arms of a study and check that their recipes differ.

    Raises StudyError for an intervention that changes nothing or sets an unknown field, for stacked
    interventions that exclude each other, for a repeated name, and for two arms with one recipe.
    """
    try:
        arms = build_arms(study, _interventions_by_arm(study))
    except StudyError as error:
        raise StudyError(f"{source}: {error}") from error
    return Plan(study, arms, source, overrides or {})


def build_arms(study: Study, interventions: Mapping[str, Sequence[str]]) -> tuple[Arm, ...]:
    """Build arms from the interventions of each; the baseline comes first and has none.

    Raises StudyError as `make_plan` does.
    """
    arms = [_arm(study, name, tuple(members)) for name, members in interventions.items()]
    _check_seeds(study, arms)
    _check_distinct(arms)
    return tuple(arms)


def _interventions_by_arm(study: Study) -> Mapping[str, Sequence[str]]:
    kind = study.design.kind
    if kind not in DESIGNS:
        allowed = " or ".join(repr(name) for name in DESIGNS)
        raise StudyError(
            f"'design.kind' = {shown(kind)} must be {allowed}{did_you_mean(kind, list(DESIGNS))}"
        )
    return DESIGNS[kind](study)


def _arm(study: Study, name: str, interventions: tuple[str, ...]) -> Arm:
    changes: dict[str, Any] = {}
    kind = "interventions" if interventions == (name,) else "stacks"
    where = f"[{kind}.{name}]" if interventions else "[baseline]"
    try:
        design = study.design
        seeds = {seed: design.streams(seed) for seed in design.seed_list()}
        for each in interventions:
            changes.update(changed_fields(study.interventions[each]))
        spec = trainer_of(study).make_spec(study, changes, next(iter(seeds.values())))
    except StudyError as error:
        raise StudyError(f"{where} {error}") from error
    specs = {seed: spec.with_seeds(each) for seed, each in seeds.items()}
    return Arm(name, interventions, changes, specs)


def _check_seeds(study: Study, arms: list[Arm]) -> None:
    for arm in arms:
        idle = arm.spec.idle_streams()
        if "init" in idle and set(study.design.vary) == {"init"}:
            raise StudyError(
                f'design.vary = ["init"], but that stream makes no difference in the arm '
                f"{arm.name!r}: {idle['init']}; vary order or dropout too"
            )


def _check_distinct(arms: list[Arm]) -> None:
    seen: dict[str, Arm] = {}
    for arm in arms:
        twin = seen.setdefault(arm.identity, arm)
        if twin is arm:
            continue
        if twin.name == BASELINE and len(arm.interventions) == 1:
            fields = ", ".join(f"{k} = {shown(v)}" for k, v in arm.changes.items())
            raise StudyError(
                f"[interventions.{arm.name}] changes nothing: the baseline has {fields} already"
            )
        raise StudyError(
            f"the arms {twin.name!r} and {arm.name!r} have the same recipe; remove one"
        )
