"""A recipe nested and dotted, and the identities that are made of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from trainer.recipe import Recipe, SeedlessRecipe
from trainer.recipe_forms import (
    RECIPE_FIELDS,
    field_value,
    split_field,
    to_dotted,
    to_nested,
    with_fields,
)

CORPUS, WEIGHTS = "c" * 64, "a" * 64


def test_a_nested_recipe_has_plain_values_and_the_defaults(recipe: Recipe) -> None:
    fields = to_nested(recipe)
    assert fields["model"]["width"] == 16
    assert fields["optimizer"]["clip_norm"] is None
    assert fields["schedule"]["kind"] == "constant"


def test_a_recipe_survives_the_way_to_dotted_and_back(recipe: Recipe) -> None:
    nested = to_nested(recipe)
    assert with_fields({}, to_dotted(nested)) == nested


@pytest.mark.parametrize("key", RECIPE_FIELDS)
def test_every_field_has_a_dotted_name_and_its_value_is_found_by_it(key: str) -> None:
    section, field = split_field(key)
    recipe = SeedlessRecipe()
    assert field_value(recipe, key) == getattr(getattr(recipe, section), field)


def test_setting_fields_leaves_the_given_recipe_as_it_was() -> None:
    before = {"model": {"dropout": 0.1}, "train": 5}
    after = with_fields(before, {"model.width": 8, "train.tokens": 9, "data.order": "sequential"})
    assert before == {"model": {"dropout": 0.1}, "train": 5}
    assert after == {
        "model": {"dropout": 0.1, "width": 8},
        "train": {"tokens": 9},
        "data": {"order": "sequential"},
    }


def test_the_family_never_changes_unnoticed() -> None:
    # As METRIC_VERSION and the fingerprint: a change here takes stored runs out of their families.
    recipe = Recipe.model_validate({"seeds": {"init": 1, "order": 1, "dropout": 1}})
    assert recipe.family(CORPUS) == (
        "796d8c8051dcdbc2179685da7f82cc891990da0bf4a16f2fc73f4a525d2d4230"
    )
    assert recipe.family(CORPUS, WEIGHTS) != recipe.family(CORPUS)


def test_runs_that_differ_in_seeds_or_in_the_place_of_their_corpus_are_one_family(
    make_recipe: Callable[..., Recipe],
) -> None:
    family = make_recipe().family(CORPUS)
    assert make_recipe({"seeds.init": 77}).family(CORPUS) == family
    assert make_recipe({"data.corpus": "moved/texts.jsonl"}).family(CORPUS) == family
    assert make_recipe({"model.dropout": 0.3}).family(CORPUS) != family
    assert make_recipe().family("d" * 64) != family
