from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

import trainer.training.evaluate
from trainer.corpora.corpus import Corpus
from trainer.recipe import Recipe
from trainer.training.evaluate import TestLoss, evaluate
from trainer.training.trainer import Trainer
from trainer.training.world import Place

CPU = Place(torch.device("cpu"))


def loss_of(recipe: Recipe, corpus: Corpus) -> TestLoss:
    return evaluate(Trainer(recipe, corpus, CPU).model, corpus, recipe, CPU)


def test_the_test_loss_is_the_mean_cross_entropy_of_the_next_tokens(
    corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    recipe = make_recipe({"evaluation.start_token": 37})
    trainer = Trainer(recipe, corpus, CPU)
    outcome = evaluate(trainer.model, corpus, recipe, CPU)
    text = torch.from_numpy(corpus.test[37 : 37 + 4 * 64 + 1].astype(np.int64))
    with torch.no_grad():
        logits = trainer.model.eval()(text[:-1].view(16, 16)).flatten(0, 1)
    losses = F.cross_entropy(logits.double(), text[1:], reduction="none")
    assert outcome.nats_per_token == pytest.approx(float(losses.mean()), rel=1e-6)
    assert outcome.chunks == pytest.approx(losses.view(4, 64).mean(1).tolist(), rel=1e-6)


def test_the_mean_of_the_chunk_losses_is_the_test_loss(corpus: Corpus, recipe: Recipe) -> None:
    outcome = loss_of(recipe, corpus)
    assert len(outcome.chunks) == 4
    assert len(set(outcome.chunks)) == 4
    assert outcome.nats_per_token == pytest.approx(sum(outcome.chunks) / 4, rel=1e-12)


def test_bits_per_byte_are_nats_over_ln_2_if_every_token_is_a_byte(
    corpus: Corpus, recipe: Recipe
) -> None:
    assert 256 not in corpus.test[: 4 * 64 + 1]
    outcome = loss_of(recipe, corpus)
    assert outcome.bits_per_byte == pytest.approx(outcome.nats_per_token / math.log(2), rel=1e-12)


def test_an_end_of_text_token_is_scored_but_counts_no_byte(corpus: Corpus, recipe: Recipe) -> None:
    tokens = corpus.test.copy()
    tokens[16:257:16] = 256  # 16 of the 256 targets
    outcome = loss_of(recipe, replace(corpus, test=tokens))
    assert outcome.bits_per_byte == pytest.approx(
        outcome.nats_per_token / math.log(2) * 256 / 240, rel=1e-12
    )


@pytest.mark.parametrize("at_once", [1, 16, 48, 100_000])
def test_the_loss_does_not_depend_on_how_much_is_read_at_once(
    corpus: Corpus, recipe: Recipe, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = loss_of(recipe, corpus)
    monkeypatch.setattr(trainer.training.evaluate, "TOKENS_AT_ONCE", at_once)
    assert loss_of(recipe, corpus).chunks == pytest.approx(usual.chunks, abs=1e-6)


def test_evaluation_has_no_dropout_and_leaves_the_model_in_training_mode(
    corpus: Corpus, recipe: Recipe, make_recipe: Callable[..., Recipe]
) -> None:
    trainer = Trainer(recipe, corpus, CPU)
    outcome = evaluate(trainer.model, corpus, recipe, CPU)
    assert outcome == loss_of(make_recipe({"model.dropout": 0.0}), corpus)
    assert all(module.training for module in trainer.model.modules())


def test_a_model_in_evaluation_mode_stays_in_evaluation_mode(
    corpus: Corpus, recipe: Recipe
) -> None:
    model = Trainer(recipe, corpus, CPU).model.eval()
    evaluate(model, corpus, recipe, CPU)
    assert not model.training


def test_the_loss_is_computed_in_float32_whatever_the_training_precision(
    corpus: Corpus, recipe: Recipe, make_recipe: Callable[..., Recipe]
) -> None:
    assert loss_of(make_recipe({"train.precision": "bfloat16"}), corpus) == loss_of(recipe, corpus)
