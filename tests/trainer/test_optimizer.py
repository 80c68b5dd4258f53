from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from trainer.corpus import Corpus
from trainer.loop import Trainer
from trainer.optimizer import clip_gradients
from trainer.recipe import Recipe

CPU = torch.device("cpu")


@pytest.fixture
def trainer(corpus: Corpus, recipe: Recipe) -> Trainer:
    """A run that has taken a step, so that there are gradients."""
    started = Trainer(recipe, corpus, CPU)
    started.step(0)
    return started


def gradients(trainer: Trainer) -> list[torch.Tensor]:
    return [p.grad for p in trainer.model.parameters() if p.grad is not None]


@pytest.mark.parametrize("largest", [0.01, 1e6])
def test_clipping_is_that_of_torch(trainer: Trainer, largest: float) -> None:
    copies = [torch.nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients(trainer)]
    for copy, gradient in zip(copies, gradients(trainer), strict=True):
        copy.grad = gradient.clone()
    norm = clip_gradients(trainer.model, largest)
    assert torch.equal(norm, torch.nn.utils.clip_grad_norm_(copies, largest))
    for copy, gradient in zip(copies, gradients(trainer), strict=True):
        assert torch.equal(copy.grad, gradient)  # type: ignore[arg-type]  # set above


def test_without_a_largest_norm_gradients_are_measured_and_left_alone(trainer: Trainer) -> None:
    before = [gradient.clone() for gradient in gradients(trainer)]
    norm = clip_gradients(trainer.model, None)
    assert float(norm) == pytest.approx(sum(float(g.square().sum()) for g in before) ** 0.5)
    assert all(map(torch.equal, before, gradients(trainer)))


def decays(trainer: Trainer) -> dict[str, float]:
    by_parameter = {
        parameter: group["weight_decay"]
        for group in trainer.optimizer.param_groups
        for parameter in group["params"]
    }
    return {name: by_parameter[p] for name, p in trainer.model.named_parameters()}


def test_everything_decays_by_default(trainer: Trainer) -> None:
    assert set(decays(trainer).values()) == {0.1}


def test_decay_of_matrices_spares_biases_and_norms(
    corpus: Corpus, make_recipe: Callable[..., Recipe]
) -> None:
    trainer = Trainer(make_recipe({"optimizer.decay": "matrices"}), corpus, CPU)
    for name, decay in decays(trainer).items():
        is_vector = name.endswith("bias") or "norm" in name
        assert decay == (0.0 if is_vector else 0.1), name


def test_the_recipe_reaches_adamw(corpus: Corpus, make_recipe: Callable[..., Recipe]) -> None:
    recipe = make_recipe(
        {"optimizer.beta1": 0.8, "optimizer.beta2": 0.95, "optimizer.epsilon": 1e-6}
    )
    (group,) = Trainer(recipe, corpus, CPU).optimizer.param_groups
    assert group["betas"] == (0.8, 0.95)
    assert group["eps"] == 1e-6
