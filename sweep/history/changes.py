"""How one plan of a study differs from another, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweep.terminal.printable import harmless, shown
from trainer.recipe import SeedlessRecipe
from trainer.recipe_forms import to_dotted, to_nested

Content = Mapping[str, Any]
"""What a stored plan consists of: see `design.Plan.content` and `importing.saving`."""
NO_DECISION = {"study", "imported", "labels", "arms", "analysis", "seeds", "overrides", "stack"}
"""Keys of a content that are no decision, or that are compared in a way of their own."""
MOST_SEEDS = 6
"""Seeds that are listed; of more, only how many there are."""


@dataclass(frozen=True, kw_only=True)
class PlanChange:
    """One thing that was decided otherwise."""

    what: str
    """`alpha`, `seeds`, `arm clip`, `baseline train.tokens` ..."""
    before: Any
    """None where there was no such thing, or where it was none."""
    after: Any
    words: str
    """For people: `alpha 0.05 → 0.1`, `arm clip removed`."""


def plan_changes(before: Content, after: Content) -> list[PlanChange]:
    """What is different in `after`, the analysis first, then seeds, baseline and arms."""
    keys = sorted((before.keys() | after.keys()) - NO_DECISION)
    return [
        *_fields(before.get("analysis", {}), after.get("analysis", {})),
        *_seeds(before.get("seeds"), after.get("seeds")),
        *_fields({key: before.get(key) for key in keys}, {key: after.get(key) for key in keys}),
        *_arms(before.get("arms", {}), after.get("arms", {}), after.get("baseline", "baseline")),
    ]


def changes_in_words(changes: Sequence[PlanChange]) -> str:
    """`alpha 0.05 → 0.1; arm x removed; seeds 5 → 7`."""
    return "; ".join(change.words for change in changes)


def _changed(what: str, before: Any, after: Any) -> PlanChange:  # noqa: ANN401  (JSON)
    return PlanChange(
        what=what, before=before, after=after, words=f"{what} {_word(before)} → {_word(after)}"
    )


def _fields(before: Content, after: Content, prefix: str = "") -> Iterator[PlanChange]:
    for key in dict.fromkeys([*before, *after]):
        if before.get(key) != after.get(key):
            yield _changed(harmless(f"{prefix}{key}"), before.get(key), after.get(key))


def _seeds(before: list[int] | None, after: list[int] | None) -> Iterator[PlanChange]:
    """Numbers of seeds where one list goes on where the other ends, else the seeds themselves."""
    if before == after:
        return
    old, new = before or [], after or []
    shorter = min(len(old), len(new))
    grown = old[:shorter] == new[:shorter] or max(len(old), len(new)) > MOST_SEEDS
    same_number = len(old) == len(new)
    if grown and not same_number:
        yield _changed("seeds", len(old), len(new))
    else:
        yield _changed("seeds", old, new)


def _arms(before: Content, after: Content, baseline: str) -> Iterator[PlanChange]:
    old, new = _flat_arms(before), _flat_arms(after)
    yield from _fields(old.get(baseline, {}), new.get(baseline, {}), "baseline ")
    renamed = {
        name: other
        for name in old.keys() - new.keys()
        for other in new.keys() - old.keys()
        if old[name] == new[other]
    }
    for name in old:
        what = f"arm {harmless(name)}"
        if name in renamed:
            yield _changed("arm", name, renamed[name])
        elif name not in new:
            yield PlanChange(what=what, before="planned", after=None, words=f"{what} removed")
    for name in new:
        what = f"arm {harmless(name)}"
        if name in old and name != baseline:
            own = _own(old, name, baseline) | _own(new, name, baseline)
            was, now = ({key: arms[name].get(key) for key in sorted(own)} for arms in (old, new))
            yield from _fields(was, now, f"{what}: ")
        elif name not in old and name not in renamed.values():
            yield PlanChange(what=what, before=None, after="planned", words=f"{what} added")


def _own(arms: Mapping[str, Content], name: str, baseline: str) -> set[str]:
    """The fields in which an arm is not like its baseline."""
    base = arms.get(baseline, {})
    return {key for key, value in arms[name].items() if key not in base or base[key] != value}


def _flat_arms(arms: Content) -> dict[str, dict[str, Any]]:
    return {name: flat_recipe(recipe) for name, recipe in arms.items()}


def flat_recipe(recipe: Any) -> dict[str, Any]:  # noqa: ANN401  (of an import: a number of runs)
    """A recipe's fields as `section.field`, those included that are at their defaults."""
    if not isinstance(recipe, Mapping):
        return {"runs": recipe}
    sections = {
        name: fields
        for name, fields in recipe.items()
        if isinstance(fields, Mapping) and name != "seeds"
    }
    return {**_DEFAULTS, **to_dotted(sections)}


_DEFAULTS = to_dotted(to_nested(SeedlessRecipe()))


def _word(value: Any) -> str:  # noqa: ANN401  (JSON)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    if isinstance(value, list):
        return ", ".join(_word(each) for each in value) or "none"
    return f"{value:g}" if isinstance(value, float) else harmless(str(value)) or shown(value)
