"""An average of the weights is what is evaluated and kept, and training goes on without it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
import torch

from trainer.corpora.corpus import Corpus
from trainer.recipe import Recipe
from trainer.training.loop import RunStoppedError, Session, train
from trainer.training.trainer import Trainer
from trainer.training.world import Place

CPU = Place(torch.device("cpu"))
AVERAGES: list[dict[str, Any]] = [{"train.ema": 0.5}, {"evaluation.average_last": 0.5}]


@pytest.mark.parametrize("fields", AVERAGES, ids=str)
def test_training_is_that_of_the_baseline_and_the_test_loss_is_not(
    fields: dict[str, Any],
    corpus: Corpus,
    recipe: Recipe,
    make_recipe: Callable[..., Recipe],
) -> None:
    averaged = make_recipe(fields)
    kept: list[torch.Tensor] = []
    session = Session(keep=lambda trainer: kept.append(trainer.parameters.values.clone()))
    plain, result = train(recipe, corpus, None, CPU), train(averaged, corpus, None, CPU, session)
    assert result.last_loss == plain.last_loss
    assert result.test_loss != plain.test_loss
    again = Trainer(averaged, corpus, CPU)
    for step in range(averaged.steps):
        again.step(step)
    assert again.average
    assert torch.equal(kept[0], again.average.values)
    assert not torch.equal(kept[0], again.parameters.values)


def test_a_run_that_is_stopped_in_its_evaluation_keeps_its_last_weights(
    corpus: Corpus, make_recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe({"train.ema": 0.5})
    trainers: list[Trainer] = []
    begin = Trainer.__init__

    def remember(self: Trainer, *arguments: Any) -> None:  # noqa: ANN401
        begin(self, *arguments)
        trainers.append(self)

    monkeypatch.setattr(Trainer, "__init__", remember)
    stops = iter([False] * recipe.steps + [True])
    with pytest.raises(RunStoppedError):
        train(recipe, corpus, io.StringIO(), CPU, Session(should_stop=lambda: next(stops)))
    (trainer,) = trainers
    assert trainer.average
    assert not torch.equal(trainer.parameters.values, trainer.average.values)


def test_the_average_of_one_step_is_its_weights(
    corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    for fields in ({"train.ema": 0.999}, {"evaluation.average_last": 1.0}):
        trainer = Trainer(make_recipe(fields), corpus, CPU)
        trainer.step(0)
        assert trainer.average
        assert torch.equal(trainer.average.values, trainer.parameters.values)
