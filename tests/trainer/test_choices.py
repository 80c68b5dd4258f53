"""Tests for every choice of the recipe: a new one is tested the day it is added."""

from __future__ import annotations

import io
import typing
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from model.config import Config
from model.gpt import GPT
from model.init import initialise
from model.size import parameter_count
from trainer.corpora.corpus import Corpus
from trainer.recipe import Recipe, vocabulary_size
from trainer.training.loop import train
from trainer.training.trainer import Trainer
from trainer.training.world import Place

CPU = Place(torch.device("cpu"))
NEEDS: dict[tuple[str, Any], dict[str, Any]] = {
    ("optimizer.kind", "adafactor"): {"optimizer.learning_rate": 0.05},
    ("optimizer.muon_scale", "original"): {"optimizer.kind": "muon"},
    ("schedule.cooldown_shape", "1-sqrt"): {"schedule.kind": "wsd"},
}
"""Other fields that a choice makes sense with only, by (field, choice)."""
ELSEWHERE = {"data.corpus", "data.tokenizer"}
"""Fields that tests/trainer/test_corpus.py and test_tokenizer.py test. For those of the model, see
test_model_changes.py."""


def choices(config: type[Config], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every field that is a Literal or a bool, with each of its values."""
    for name, field in config.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Config):
            yield from choices(kind, f"{prefix}{name}.")
        elif typing.get_origin(kind) is typing.Literal:
            yield from ((f"{prefix}{name}", value) for value in typing.get_args(kind))
        elif kind is bool:
            yield from ((f"{prefix}{name}", value) for value in (False, True))


CHOICES = [
    (name, value)
    for name, value in choices(Recipe)
    if name not in ELSEWHERE and not name.startswith("model.")
]


@pytest.mark.parametrize(("field", "value"), CHOICES)
def test_every_choice_learns_has_its_number_of_parameters_and_changes_no_other_choice(
    field: str, value: object, corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    budget = {"train.tokens": 16 * 8 * 150, "optimizer.learning_rate": 3e-3}
    recipe = make_recipe(budget | NEEDS.get((field, value), {}) | {field: value})
    trainer = Trainer(recipe, corpus, CPU)
    vocabulary = vocabulary_size(recipe.data.tokenizer)
    counted = sum(p.numel() for p in trainer.model.parameters())
    assert counted == parameter_count(recipe.model, vocabulary)

    usual = GPT(make_recipe().model, vocabulary)
    initialise(usual, recipe.seeds.init)
    own = dict(trainer.model.named_parameters())
    for name, parameter in usual.named_parameters():
        assert name not in own or torch.equal(parameter, own[name]), name

    result = train(recipe, corpus, io.StringIO(), CPU)
    assert result.test_loss is not None
    assert result.test_loss < 5.2  # a guess scores ln(257) = 5.549
    assert result.skipped_steps <= (4 if value == "float16" else 0)


def test_the_list_is_not_empty_where_it_matters() -> None:
    fields = {field for field, _ in CHOICES}
    assert {"optimizer.decay", "train.precision", "schedule.kind"} <= fields
