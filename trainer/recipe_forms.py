"""The two forms of a recipe, and the way from each to the other. Light to import: no torch here.

nested    {"model": {"dropout": 0.0}}    in recipe.json, in TOML tables, in the database
dotted    {"model.dropout": 0.0}         in interventions, overrides, messages and comparisons
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainer.recipe import SeedlessRecipe


def to_nested(recipe: SeedlessRecipe) -> dict[str, Any]:
    """The recipe as plain JSON values, defaults included."""
    return recipe.model_dump(mode="json")


def to_dotted(nested: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The fields of some sections as `section.field`, in their order."""
    return {
        f"{section}.{field}": value
        for section, fields in nested.items()
        for field, value in fields.items()
    }


def with_fields(nested: Mapping[str, Any], dotted: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a nested recipe with some fields set.

    A section that is not a table is replaced; checking the result is up to the caller.
    """
    changed = dict(nested)
    for key, value in dotted.items():
        section, field = split_field(key)
        before = changed.get(section)
        changed[section] = {**(before if isinstance(before, Mapping) else {}), field: value}
    return changed


def split_field(key: str) -> tuple[str, str]:
    """Section and field of `section.field`."""
    section, _, field = key.partition(".")
    return section, field


def field_value(recipe: SeedlessRecipe, key: str) -> Any:  # noqa: ANN401  (any field)
    """The value of `section.field`. Raises AttributeError for an unknown one."""
    section, field = split_field(key)
    return getattr(getattr(recipe, section), field)


RECIPE_FIELDS = tuple(to_dotted(to_nested(SeedlessRecipe())))
"""Every field of a recipe but its seeds, as `section.field`: what an intervention may set."""
