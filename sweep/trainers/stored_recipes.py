"""Recipes as plans in the database hold them: nested JSON without seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from sweep.trainers.base import Cost
from sweep.trainers.builtin import expected_cost
from trainer.recipe import INPUT_LOCATIONS, Recipe, SeedlessRecipe
from trainer.recipe_forms import to_dotted, to_nested, with_fields

FlatRecipe = dict[str, Any]
"""Recipe fields by `section.field`."""
TRAINING_DATA_FIELDS = {"data.order", "data.max_tokens", "data.mixture", "data.mask_documents"}
"""Fields of `data` that leave the text for testing as it is."""
_DEFAULTS = to_dotted(to_nested(SeedlessRecipe()))


def flat_recipe(recipe: Any) -> FlatRecipe:  # noqa: ANN401  (an import has a number of runs)
    """The fields of a nested recipe as `section.field`, defaults included, seeds left out.

    For an arm of an imported study: its number of runs, as `runs`.
    """
    if not isinstance(recipe, Mapping):
        return {"runs": recipe}
    sections = {
        name: fields
        for name, fields in recipe.items()
        if isinstance(fields, Mapping) and name != "seeds"
    }
    return to_dotted(sections) if is_script(recipe) else {**_DEFAULTS, **to_dotted(sections)}


def is_script(recipe: Mapping[str, Any]) -> bool:
    """True for the stored form of a script's run, which has parameters instead of a recipe."""
    return "parameters" in recipe


def is_fine_tune(recipe: Mapping[str, Any]) -> bool:
    """True for the stored form of an instruction fine-tune."""
    return "instructions" in recipe.get("trainer", {})


def without_locations(recipe: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """A nested recipe without the locations of inputs that are known by their hash."""
    return {
        section: {
            key: value
            for key, value in fields.items()
            if key not in INPUT_LOCATIONS.get(section, ())
        }
        for section, fields in recipe.items()
    }


def planned_tokens(recipe: FlatRecipe) -> int:
    """Training tokens of a run: as many whole steps as fit into the budget."""
    step = int(recipe["train.batch_size"] * recipe["model.context"])
    return int(recipe["train.tokens"] // step * step)


def stored_cost(recipe: Mapping[str, Any]) -> Cost | None:
    """The cost of a stored run; None if it has no GPT recipe."""
    if is_script(recipe):
        return None
    set_fields = {
        key: value for key, value in flat_recipe(recipe).items() if _DEFAULTS.get(key) != value
    }
    try:  # a default that another setting leaves without effect may not be given
        nested = {**with_fields({}, set_fields), "seeds": recipe.get("seeds")}
        return expected_cost(Recipe.model_validate(nested))
    except ValidationError:
        return None


def test_text_settings(recipe: FlatRecipe) -> dict[str, str]:
    """The settings that choose the text for testing, and the tokens that it is measured in."""
    chosen = {
        key: str(value)
        for key, value in recipe.items()
        if key.startswith("data.") and key not in TRAINING_DATA_FIELDS
    }
    tokens = recipe["evaluation.chunks"] * recipe["evaluation.chunk_tokens"]
    start = recipe["evaluation.start_token"]
    return {**chosen, "test text": f"{tokens:,} tokens from {start:,} on"}
