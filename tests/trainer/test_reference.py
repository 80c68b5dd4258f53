"""The fast trainer does what a plain one does: in each arm of the study, and in a few more.

The logits and gradients of the plain model are in float64: they are the truth. Its fifty steps are
in float32, as the product's are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sweep.design.arms import make_plan
from sweep.study.file import apply, load_study
from tests.trainer.plain_model import split_qkv
from tests.trainer.reference import ReferenceTrainer, copy_of, mean_cross_entropy
from trainer.corpora.corpus import Corpus
from trainer.recipe import Recipe
from trainer.training.evaluate import evaluate
from trainer.training.trainer import Trainer
from trainer.training.world import Place

pytestmark = pytest.mark.filterwarnings("ignore:The epoch parameter:UserWarning")  # SequentialLR's

STEPS = 50
STUDY = Path(__file__).parents[2] / "studies" / "interventions.toml"
PLAN = make_plan(load_study(STUDY), STUDY.name)
BEYOND: dict[str, dict[str, Any]] = {
    "clipped-hard": {"optimizer.clip_norm": 0.1},
    "decay-of-matrices": {"optimizer.decay": "matrices", "optimizer.weight_decay": 10.0},
    "warm-up-then-constant": {"schedule.warmup": 0.3, "schedule.warmup_factor": 0.01},
    "several-tiles-of-attention": {
        "model.context": 150,  # two tiles and a part of one
        "model.dropout": 0.4,
        "model.qkv_bias": True,
        "train.batch_size": 5,
        "evaluation.chunk_tokens": 150,
    },
    "another-optimiser": {
        "optimizer.beta1": 0.7,
        "optimizer.epsilon": 1e-3,
        "schedule.kind": "cosine",
        "schedule.final_factor": 0.5,
        "data.order": "sequential",
    },
}
"""Fields that no intervention of the study sets, or not so that an error would show."""
CHANGES = {arm.name: arm.changes for arm in PLAN.arms} | BEYOND

each_recipe = pytest.mark.parametrize("name", CHANGES)
QUICK = ("grad-clip",)
"""Trained for fifty steps in every test run; the others are trained with the nightly tests."""


# The product, as these tests use it.


def start(recipe: Recipe, corpus: Corpus) -> Trainer:
    return Trainer(recipe, corpus, Place(torch.device("cpu")))


def take_step(trainer: Trainer, step: int) -> tuple[float, float]:
    """The loss before the step, and the norm of its gradient."""
    taken = trainer.step(step)
    return float(taken.loss), float(taken.norm)


def gradients_of_last_step(trainer: Trainer) -> dict[str, Tensor]:
    return {name: p.grad for name, p in trainer.model.named_parameters() if p.grad is not None}


def rate_of_last_step(trainer: Trainer) -> float:
    return trainer.optimizer.learning_rate


# What is compared.


def recipe_of(name: str) -> Recipe:
    """The recipe of that name, in the study's shape, with a budget of fifty steps.

    Always in float32: bfloat16 rounds too coarsely to tell an error from rounding.
    """
    fields = CHANGES[name] | {"evaluation.chunks": 5, "train.precision": "float32"}
    seeds = PLAN.arms[0].spec.seeds
    per_step = apply(PLAN.study.baseline, fields, seeds).tokens_per_step
    return apply(PLAN.study.baseline, fields | {"train.tokens": STEPS * per_step}, seeds)


@torch.no_grad()
def shake(model: nn.Module) -> None:
    """Biases are zero and norms one at first, which would hide that one is left out."""
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)


@each_recipe
def test_logits_equal_those_of_a_plain_model(name: str, corpus: Corpus) -> None:
    recipe = recipe_of(name)
    product = start(recipe, corpus)
    shake(product.model)
    tokens, _ = product.batches.read(0)
    plain = copy_of(product.model, recipe, torch.float64)
    with torch.no_grad():
        logits, expected = product.model.eval()(tokens), plain(tokens)
    assert float(expected.std()) > 0.1
    torch.testing.assert_close(logits.double(), expected, atol=1e-5, rtol=0)


@each_recipe
def test_gradients_equal_those_of_a_plain_model_with_clipping(name: str, corpus: Corpus) -> None:
    recipe = recipe_of(name)
    product = start(recipe, corpus)
    shake(product.model)
    plain = ReferenceTrainer(product.model, recipe, corpus, torch.float64)
    _, norm = plain.step(3)
    take_step(product, 3)
    found = split_qkv(gradients_of_last_step(product))
    for parameter, value in plain.model.named_parameters():
        assert value.grad is not None
        # A bias of the keys moves no softmax: its gradient is zero but for rounding.
        scale = 1e-5 * float(value.grad.norm()) + 1e-7 * norm
        assert float((found.pop(parameter) - value.grad).norm()) < scale, parameter
    assert not found


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.nightly) for name in CHANGES],
)
def test_fifty_steps_have_the_losses_norms_and_rates_of_a_plain_trainer(
    name: str, corpus: Corpus
) -> None:
    recipe = recipe_of(name)
    assert recipe.steps == STEPS
    product = start(recipe, corpus)
    plain = ReferenceTrainer(product.model, recipe, corpus)
    first = last = 0.0
    for step in range(STEPS):
        rate = plain.learning_rate
        loss, norm = take_step(product, step)
        last, expected_norm = plain.step(step)
        first = first or last
        assert loss == pytest.approx(last, rel=1e-5), f"loss of step {step}"
        assert norm == pytest.approx(expected_norm, rel=1e-5), f"norm of step {step}"
        assert rate_of_last_step(product) == pytest.approx(rate, rel=1e-9), f"rate of step {step}"
    assert last < first, "it learns"


@pytest.mark.parametrize("decay", ["all", "matrices"])
def test_a_step_without_a_gradient_only_decays_the_parameters_that_the_recipe_names(
    decay: str, corpus: Corpus
) -> None:
    fields = {"optimizer.decay": decay, "model.qkv_bias": True}
    recipe = apply(PLAN.study.baseline, fields, PLAN.arms[0].spec.seeds)
    product = start(recipe, corpus)
    shake(product.model)
    before = {name: p.detach().clone() for name, p in product.model.named_parameters()}
    for parameter in product.model.parameters():
        assert parameter.grad is not None
        parameter.grad.zero_()
    product.optimizer.step(recipe.optimizer.learning_rate)
    for name, parameter in product.model.named_parameters():
        decays = decay == "all" or not (name.endswith("bias") or "norm" in name)
        expected = before[name] * (1 - 1e-3 * 0.1 if decays else 1)
        torch.testing.assert_close(parameter.detach(), expected, atol=0, rtol=1e-7, msg=name)


@each_recipe
def test_the_test_loss_equals_that_of_a_plain_model(name: str, corpus: Corpus) -> None:
    recipe = recipe_of(name)
    product = start(recipe, corpus)
    shake(product.model)
    outcome = evaluate(product.model, corpus, recipe, product.place)
    plain = copy_of(product.model, recipe, torch.float64)
    tokens = 5 * recipe.evaluation.chunk_tokens
    text = torch.from_numpy(corpus.test[: tokens + 1].astype(np.int64))
    inputs, targets = (part.view(-1, recipe.model.context) for part in (text[:-1], text[1:]))
    with torch.no_grad():
        expected = float(mean_cross_entropy(plain(inputs), targets))
    assert outcome.nats_per_token == pytest.approx(expected, rel=1e-6)
