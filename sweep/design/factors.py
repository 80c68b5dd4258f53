"""The factors of a study: each intervention is one, and alternatives are levels of one factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sweep.study.file import Study, changed_fields
from sweep.study.mistakes import InvalidStudyError
from sweep.study.names import BASELINE

Members = tuple[str, ...]
"""Interventions of one arm, in the order of the study file."""


@dataclass(frozen=True)
class Factor:
    """Interventions of which an arm has at most one."""

    name: str
    """The intervention's name; of several, the field that they set."""
    levels: tuple[str, ...]
    """The interventions; the level without any of them is the baseline's."""


def find_factors(study: Study) -> list[Factor]:
    """The factors in the order of the study file.

    Interventions that set a field to different values are alternatives, and so are two that are
    alternatives to a third one.
    """
    fields = {name: _fields(study, name) for name in study.interventions if name != BASELINE}
    groups: list[list[str]] = []
    for name, own in fields.items():
        rivals = [each for each in groups if any(_clash(own, fields[one]) for one in each)]
        groups = [each for each in groups if each not in rivals]
        groups.append([one for each in rivals for one in each] + [name])
    order = list(fields)
    groups = sorted(
        (sorted(each, key=order.index) for each in groups), key=lambda g: order.index(g[0])
    )
    taken = {each[0] for each in groups if len(each) == 1}
    found = []
    for group in groups:
        name = group[0] if len(group) == 1 else _field_name(fields, group, taken)
        taken.add(name)
        found.append(Factor(name, tuple(group)))
    return found


def clash(study: Study, one: str, other: str) -> tuple[str, Any, Any] | None:
    """The first field that two interventions set to different values, and both values."""
    first, second = _fields(study, one), _fields(study, other)
    fields = [each for each in first if each in second and first[each] != second[each]]
    return (fields[0], first[fields[0]], second[fields[0]]) if fields else None


def _fields(study: Study, name: str) -> dict[str, Any]:
    """The fields that an intervention sets; none if it is wrong, which is reported elsewhere."""
    try:
        return changed_fields(study.interventions[name])
    except InvalidStudyError:
        return {}


def _clash(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return any(one[field] != other[field] for field in one.keys() & other.keys())


def _field_name(fields: dict[str, dict[str, Any]], group: Sequence[str], taken: set[str]) -> str:
    """The field that all alternatives set, by its last part if that is free; else the first name."""
    common = [each for each in fields[group[0]] if all(each in fields[one] for one in group)]
    names = [name for each in common for name in (each.rpartition(".")[2], each)]
    return next((name for name in names if name not in taken), group[0])
