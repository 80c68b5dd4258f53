"""From a study to its arms and runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

from pydantic import ValidationError

from sweep.errors import StudyError
from sweep.study.explain import explain, shown
from sweep.study.file import BASELINE, Study, apply, changed_fields
from trainer.recipe import Recipe


@dataclass(frozen=True)
class Arm:
    """The baseline with a set of interventions applied."""

    name: str
    interventions: tuple[str, ...]
    changes: dict[str, Any]
    """The recipe fields that it sets, as `section.field`."""
    recipes: dict[int, Recipe]
    """One recipe per seed of the study."""

    @property
    def recipe(self) -> Recipe:
        """A recipe of the arm; only its seeds differ from the others'."""
        return next(iter(self.recipes.values()))

    @cached_property
    def identity(self) -> str:
        """The recipe without its seeds, as canonical JSON."""
        fields = json.loads(self.recipe.canonical())
        return json.dumps({k: v for k, v in fields.items() if k != "seeds"}, sort_keys=True)


@dataclass(frozen=True)
class Plan:
    """All that is fixed before the first run: arms, seeds, and how the verdicts will be reached."""

    study: Study
    arms: tuple[Arm, ...]
    """The baseline first."""
    source: str
    """The study file, as errors name it."""
    overrides: Mapping[str, Any]
    """Baseline fields that the command line set, as `section.field`."""
    stack: Mapping[str, Any] | None = None
    """Of a stack (`sweep.verdicts.stack_choice`): the study that its members come from, and what they promise."""

    @property
    def seeds(self) -> list[int]:
        """The seeds, the same for every arm."""
        return self.study.design.seed_list()

    def arm(self, name: str) -> Arm:
        """The arm of that name. Raises KeyError."""
        return {arm.name: arm for arm in self.arms}[name]

    def content(self) -> dict[str, Any]:
        """What the plan consists of, as JSON values."""
        return {
            "study": self.study.name,
            "analysis": self.study.analysis.model_dump(mode="json"),
            "seeds": self.seeds,
            "vary": sorted(set(self.study.design.vary)),
            "hold": self.study.design.hold,
            "arms": {arm.name: json.loads(arm.identity) for arm in self.arms},
            **({"overrides": dict(self.overrides)} if self.overrides else {}),
            **({"stack": dict(self.stack)} if self.stack else {}),
        }

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the plan's content; a comment or an order of keys does not change it."""
        return hashlib.sha256(json.dumps(self.content(), sort_keys=True).encode()).hexdigest()


def make_plan(study: Study, source: str, overrides: Mapping[str, Any] | None = None) -> Plan:
    """Enumerate the arms of a study and check that each asks a question of its own.

    Raises StudyError: an intervention that changes nothing or sets what is no field, interventions
    stacked that exclude each other, a name given twice, two arms with one recipe.
    """
    try:
        arms = combined(study, _combinations(study))
    except StudyError as error:
        raise StudyError(f"{source}: {error}") from error
    return Plan(study, arms, source, overrides or {})


def combined(study: Study, combinations: Mapping[str, Sequence[str]]) -> tuple[Arm, ...]:
    """Arms by name, with the interventions of each: none for the baseline, which is the first.

    Raises StudyError as `make_plan` does.
    """
    arms = [_arm(study, name, tuple(members)) for name, members in combinations.items()]
    _check_seeds(study, arms)
    _check_distinct(arms)
    return tuple(arms)


def _combinations(study: Study) -> dict[str, Sequence[str]]:
    if BASELINE in study.interventions:
        raise StudyError(
            f"[interventions.{BASELINE}]: that is the name of the arm without interventions; "
            "use another"
        )
    found: dict[str, Sequence[str]] = {BASELINE: ()}
    found |= {name: (name,) for name in study.interventions}
    for name, stack in study.stacks.items():
        _check_stack(study, name, stack.combine)
        found[name] = stack.combine
    return found


def _arm(study: Study, name: str, interventions: tuple[str, ...]) -> Arm:
    changes: dict[str, Any] = {}
    where = f"[interventions.{name}]" if interventions == (name,) else f"[stacks.{name}]"
    try:
        design = study.design
        seeds = {seed: design.streams(seed) for seed in design.seed_list()}
        for each in interventions:
            changes.update(changed_fields(study.interventions[each]))
        recipe = apply(study.baseline, changes, next(iter(seeds.values())))
    except StudyError as error:
        raise StudyError(f"{where} {error}") from error
    except ValidationError as error:
        place = "[baseline]" if not interventions else f"{where} sets"
        raise StudyError(f"{place} {explain(error, Recipe)}") from error
    recipes = {seed: recipe.model_copy(update={"seeds": each}) for seed, each in seeds.items()}
    return Arm(name, interventions, changes, recipes)


def _check_stack(study: Study, name: str, members: list[str]) -> None:
    where = f"[stacks.{name}]"
    if name == BASELINE or name in study.interventions:
        raise StudyError(f"{where}: an arm of that name exists already; use another name")
    for member in members:
        if member not in study.interventions:
            known = ", ".join(study.interventions)
            raise StudyError(f"{where} combines {member!r}, which is no intervention ({known})")
    if len(set(members)) < len(members):
        raise StudyError(f"{where} combines an intervention with itself")
    for one, other in combinations(members, 2):
        _check_compatible(study, where, one, other)


def _check_compatible(study: Study, where: str, one: str, other: str) -> None:
    first = changed_fields(study.interventions[one])
    second = changed_fields(study.interventions[other])
    for field in first.keys() & second.keys():
        if first[field] != second[field]:
            raise StudyError(
                f"{where} combines {one!r} and {other!r}, which both set {field!r} "
                f"({shown(first[field])} and {shown(second[field])}); they are alternatives and "
                "cannot be stacked"
            )


def _check_seeds(study: Study, arms: list[Arm]) -> None:
    for arm in arms:
        if arm.recipe.train.initial_weights is not None and set(study.design.vary) == {"init"}:
            raise StudyError(
                f'design.vary = ["init"], but the arm {arm.name!r} begins with the weights in '
                "train.initial_weights whatever its seed; vary order or dropout too"
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
            f"the arms {twin.name!r} and {arm.name!r} have one and the same recipe; remove one"
        )
