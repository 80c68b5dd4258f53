"""What an arm sets against the baseline, and why the study's file says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.store.plan_content import PlanContent
from sweep.store.rows import ArmRow, StudyRow
from sweep.study.file import load_study
from sweep.trainers.stored_recipes import flat_recipe
from trainer.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Changed:
    """A field that two recipes set differently."""

    field: str
    first: Any
    """None if only the second one has it."""
    second: Any


def arm_changes(plan: PlanContent, arm: str) -> list[Changed]:
    """The fields of an arm's recipe that differ from the baseline's. Empty for an import."""
    if arm == plan.baseline or not isinstance(plan.arms.get(arm), Mapping):
        return []
    return recipe_changes(plan.arms[plan.baseline], plan.arms[arm])


def recipe_changes(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Changed]:
    """The fields in which two stored recipes differ, seeds left out."""
    ours, theirs = flat_recipe(first), flat_recipe(second)
    names = dict.fromkeys([*ours, *theirs])
    return [
        Changed(field=name, first=ours.get(name), second=theirs.get(name))
        for name in names
        if ours.get(name) != theirs.get(name)
    ]


def arm_reasons(study: StudyRow, arm: ArmRow) -> Sequence[str]:
    """The reasons of an arm's interventions, as the study's file has them now; empty without it."""
    if study.imported or not arm.interventions:
        return []
    try:
        known = load_study(Path(study.path)).interventions
    except (UserError, OSError):
        return []
    return [known[name].because for name in arm.interventions if name in known]
