"""The differences between two plans of a study, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sweep.store.plan_content import PlanContent
from sweep.terminal.printable import harmless
from sweep.trainers.stored_recipes import FlatRecipe, flat_recipe

COMPARED_APART = {"analysis", "seeds", "arms", "arm_seeds", "settled", "race"}
"""Keys of a plan's JSON that are compared in their own ways."""
NOT_DECISIONS = {
    "study",
    "imported",
    "labels",
    "overrides",
    "stack",
    "tuned",
    "existed",
    "looks",
    "stopped",
    "former_looks",
    "metrics",
}
"""Keys of a plan's JSON that decide nothing, or only through others."""
MAX_LISTED_SEEDS = 6
"""Longer lists of seeds are compared by their lengths."""


class ChangeKind(StrEnum):
    """The kind of a change."""

    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, kw_only=True)
class PlanChange:
    """One difference between two plans."""

    kind: ChangeKind
    what: str
    """`alpha`, `seeds`, `arm clip`, `baseline train.tokens`, ..."""
    before: Any
    """The JSON value before; None if there was none. For an arm, `planned` or its name."""
    after: Any


def plan_changes(before: PlanContent, after: PlanContent) -> list[PlanChange]:
    """The changes from one plan to another: analysis, seeds, other fields, baseline, arms."""
    keys = sorted((before.json.keys() | after.json.keys()) - COMPARED_APART - NOT_DECISIONS)
    old, new = ({key: _value(plan, key) for key in keys} for plan in (before, after))
    return [
        *_fields(_settings(before), _settings(after)),
        *_fields(before.analysis.guards, after.analysis.guards, "guard "),
        *_seeds(list(before.seeds), list(after.seeds)),
        *_fields({"start": before.race_start}, {"start": after.race_start}, "race "),
        *_seeds_of_arms(before, after),
        *_fields(old, new),
        *_fields(_search(before), _search(after), "search "),
        *_arms(before.arms, after.arms, after.baseline),
    ]


def _search(plan: PlanContent) -> Mapping[str, Any]:
    """Return what the trials of a search depended on."""
    return plan.tuned.search if plan.tuned else {}


def _settings(plan: PlanContent) -> dict[str, Any]:
    """The settings of the analysis but its guards."""
    return {key: value for key, value in vars(plan.analysis).items() if key != "guards"}


def _value(plan: PlanContent, key: str) -> Any:  # noqa: ANN401  (JSON)
    """Return a field of a plan's JSON, which leaves out the usual direction and `pairs`."""
    usual = {"direction": plan.direction.value, "pairs": plan.pairs}
    return usual.get(key, plan.json.get(key))


def _changed(what: str, before: Any, after: Any) -> PlanChange:  # noqa: ANN401  (JSON)
    return PlanChange(kind=ChangeKind.CHANGED, what=what, before=before, after=after)


def _fields(
    before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = ""
) -> Iterator[PlanChange]:
    for key in dict.fromkeys([*before, *after]):
        if before.get(key) != after.get(key):
            yield _changed(harmless(f"{prefix}{key}"), before.get(key), after.get(key))


def _seeds(before: list[int], after: list[int]) -> Iterator[PlanChange]:
    """The numbers of seeds if one list continues the other or is long, else both lists."""
    if before == after:
        return
    lengths = len(before), len(after)
    shorter, longer = min(lengths), max(lengths)
    continued = before[:shorter] == after[:shorter] or longer > MAX_LISTED_SEEDS
    if continued and shorter < longer:
        yield _changed("seeds", *lengths)
    else:
        yield _changed("seeds", before, after)


def _seeds_of_arms(before: PlanContent, after: PlanContent) -> Iterator[PlanChange]:
    """The numbers of seeds of arms that have some of their own in one of the plans."""
    own = {arm: None for plan in (before, after) for arm in (*plan.arm_seeds, *plan.settled)}
    for arm in own:
        if arm in before.arms and arm in after.arms:
            numbers = [len(plan.seeds_of(arm)) for plan in (before, after)]
            if numbers[0] != numbers[1]:
                yield _changed(f"seeds of {harmless(arm)}", *numbers)


def _arms(
    before: Mapping[str, Any], after: Mapping[str, Any], baseline: str
) -> Iterator[PlanChange]:
    old, new = _flat_arms(before), _flat_arms(after)
    renamed = _renamed(old, new)
    yield from _fields(old.get(baseline, {}), new.get(baseline, {}), "baseline ")
    for name in old:
        if name in renamed:
            yield _changed("arm", name, renamed[name])
        elif name not in new:
            yield _arm_change(ChangeKind.REMOVED, name, "planned", None)
    for name in new:
        if name in old and name != baseline:
            own = sorted(_own(old, name, baseline) | _own(new, name, baseline))
            was, now = ({key: arms[name].get(key) for key in own} for arms in (old, new))
            yield from _fields(was, now, f"arm {harmless(name)}: ")
        elif name not in old and name not in renamed.values():
            yield _arm_change(ChangeKind.ADDED, name, None, "planned")


def _renamed(old: Mapping[str, FlatRecipe], new: Mapping[str, FlatRecipe]) -> dict[str, str]:
    """New names of arms that have kept their recipes, by old name."""
    return {
        name: other
        for name in old
        if name not in new
        for other in new
        if other not in old and old[name] == new[other]
    }


def _arm_change(kind: ChangeKind, name: str, before: str | None, after: str | None) -> PlanChange:
    return PlanChange(kind=kind, what=f"arm {harmless(name)}", before=before, after=after)


def _own(arms: Mapping[str, FlatRecipe], name: str, baseline: str) -> set[str]:
    """The fields in which an arm differs from its baseline."""
    base = arms.get(baseline, {})
    return {key for key, value in arms[name].items() if key not in base or base[key] != value}


def _flat_arms(arms: Mapping[str, Any]) -> dict[str, FlatRecipe]:
    return {name: flat_recipe(recipe) for name, recipe in arms.items()}
