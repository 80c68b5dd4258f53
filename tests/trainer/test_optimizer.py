from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from model.gpt import GPT
from trainer.recipe import Recipe
from trainer.recipe_sections import OptimizerConfig
from trainer.training.methods import METHODS, Muon
from trainer.training.optimizer import FIRST_SCALE, Optimizer
from trainer.training.parameters import ALIGNMENT, FlatParameters, parameter_kind


class Toy(nn.Module):
    """A matrix, a tied matrix, a vector and a scalar-like one, none of a round size."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.linspace(-1, 1, 7))
        self.matrix = nn.Parameter(torch.linspace(-1, 1, 33).view(11, 3))
        self.tied = self.matrix
        self.one = nn.Parameter(torch.ones(1))
        self.big = nn.Parameter(torch.linspace(0, 1, 5000).view(50, 100))


def make(scaled: bool = False, **config: object) -> tuple[FlatParameters, Optimizer]:
    settings = OptimizerConfig.model_validate(config)
    parameters = FlatParameters(Toy(), settings.decay, by_kind=settings.tells_kinds_apart)
    return parameters, Optimizer(parameters, settings, scaled=scaled)


def fill(parameters: FlatParameters, step: int, scale: float = 1.0) -> dict[str, Tensor]:
    """Give every parameter a gradient, multiplied by `scale`; the gradients without it."""
    generator = torch.Generator().manual_seed(step)
    gradients = {
        name: torch.randn(p.shape, generator=generator) for name, p in parameters.named.items()
    }
    parameters.gradients.zero_()
    for name, parameter in parameters.named.items():
        assert parameter.grad is not None
        parameter.grad.copy_(gradients[name] * scale)
    return gradients


def test_parameters_keep_their_values_and_are_aligned_to_cache_lines() -> None:
    parameters, _ = make()
    expected = dict(Toy().named_parameters())
    assert parameters.named.keys() == expected.keys()
    for name, parameter in parameters.named.items():
        assert torch.equal(parameter, expected[name])
        assert parameter.storage_offset() % ALIGNMENT == 0
    assert parameters.values.count_nonzero() == sum(
        int(p.count_nonzero()) for p in expected.values()
    )


def test_autograd_writes_into_the_one_vector_and_tied_parameters_share_a_place() -> None:
    model = Toy()
    parameters = FlatParameters(model, "all")
    assert model.tied is model.matrix
    (model.matrix.sum() * 2 + model.tied.sum() * 3).backward()  # type: ignore[no-untyped-call]
    assert float(parameters.gradients.sum()) == 5 * 33


@pytest.mark.parametrize("largest", [None, 0.01, 5.0, 1e6])
@pytest.mark.parametrize("decay", ["all", "matrices"])
@pytest.mark.parametrize("scaled", [False, True])
def test_ten_steps_are_those_of_torchs_clipping_and_plain_adamw(
    largest: float | None, decay: str, scaled: bool
) -> None:
    fields = {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-6, "weight_decay": 0.3}
    parameters, optimizer = make(scaled, clip_norm=largest, decay=decay, **fields)
    plain = Toy()
    named = dict(plain.named_parameters())
    decays = {name: decay == "all" or p.dim() >= 2 for name, p in named.items()}
    adamw = torch.optim.AdamW(
        [
            {
                "params": [p for name, p in named.items() if decays[name] is wanted],
                "weight_decay": d,
            }
            for wanted, d in ((True, 0.3), (False, 0.0))
            if wanted in decays.values()
        ],
        betas=(0.8, 0.95),
        eps=1e-6,
        foreach=False,
    )
    for step in range(10):
        gradients = fill(parameters, step, float(optimizer.scale))
        for name, parameter in named.items():
            parameter.grad = gradients[name].clone()
        norm = torch.nn.utils.clip_grad_norm_(named.values(), largest or math.inf)
        rate = 0.1 / (step + 1)
        for group in adamw.param_groups:
            group["lr"] = rate
        adamw.step()
        report = optimizer.step(rate)
        torch.testing.assert_close(report.norm, norm, rtol=1e-5, atol=0)
        assert bool(report.clipped) is (largest is not None and float(norm) > largest)
        assert not report.skipped
    for name, parameter in parameters.named.items():
        torch.testing.assert_close(parameter, named[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", METHODS)
def test_the_padding_between_parameters_stays_zero(kind: str) -> None:
    parameters, optimizer = make(weight_decay=0.5, kind=kind)
    for step in range(3):
        fill(parameters, step)
        optimizer.step(0.1)
    mask = torch.ones_like(parameters.values, dtype=torch.bool)
    for parameter in parameters.named.values():
        mask[parameter.storage_offset() : parameter.storage_offset() + parameter.numel()] = False
    assert mask.any()
    assert not parameters.values[mask].any()


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("largest", [None, 1.0])
@pytest.mark.parametrize("bad_step", [0, 1])
@pytest.mark.parametrize("kind", METHODS)
def test_a_gradient_that_is_not_finite_changes_nothing_and_is_counted(
    scaled: bool, bad: float, largest: float | None, bad_step: int, kind: str
) -> None:
    config = {"clip_norm": largest, "kind": kind, "cautious_decay": largest is None}
    parameters, optimizer = make(scaled, **config)
    twin_parameters, twin = make(scaled, **config)
    for step in range(3):
        fill(parameters, step, float(optimizer.scale))
        if step == bad_step:
            parameters.gradients[2] = bad
            before = parameters.values.clone()
            assert optimizer.step(0.1).skipped == 1
            assert torch.equal(parameters.values, before)
            continue
        fill(twin_parameters, step, float(twin.scale))
        assert optimizer.step(0.1).skipped == 0
        twin.step(0.1)
    # As if that step had not been: AdamW's count of steps was not advanced either.
    torch.testing.assert_close(parameters.values, twin_parameters.values, rtol=1e-6, atol=1e-7)


def test_an_overflow_halves_the_scale_of_the_loss() -> None:
    parameters, optimizer = make(scaled=True)
    assert float(optimizer.scale) == FIRST_SCALE
    parameters.gradients[0] = math.inf
    optimizer.step(0.1)
    assert float(optimizer.scale) == FIRST_SCALE / 2


@pytest.mark.parametrize("kind", METHODS)
def test_a_continued_optimizer_takes_the_same_steps_to_the_last_bit(kind: str) -> None:
    config = {"clip_norm": 1.0, "decay": "matrices", "kind": kind}
    parameters, optimizer = make(scaled=True, **config)
    for step in range(4):
        fill(parameters, step, float(optimizer.scale))
        optimizer.step(0.1)
    continued_parameters, continued = make(scaled=True, **config)
    continued_parameters.values.copy_(parameters.values)
    continued.load_state({name: tensor.clone() for name, tensor in optimizer.state().items()})
    for step in range(4, 8):
        for each_parameters, each in ((parameters, optimizer), (continued_parameters, continued)):
            fill(each_parameters, step, float(each.scale))
            each.step(0.1)
    assert torch.equal(parameters.values, continued_parameters.values)


def test_every_method_is_a_choice_of_the_recipe_and_the_other_way_round() -> None:
    assert set(METHODS) == set(get_args(OptimizerConfig.model_fields["kind"].annotation))


def test_adamw_gets_the_settings_of_the_recipe() -> None:
    _, optimizer = make(beta1=0.8, beta2=0.95, epsilon=1e-6, weight_decay=0.3, decay="matrices")
    settings = [
        (group["betas"], group["eps"], group["weight_decay"])
        for group in optimizer._optimizers[0].param_groups
    ]
    assert settings == [((0.8, 0.95), 1e-6, 0.3), ((0.8, 0.95), 1e-6, 0.0)]


@pytest.mark.parametrize("shape", [(16, 16), (48, 16), (16, 64)])
def test_muon_moves_like_torchs_but_for_the_rounding_of_bfloat16(shape: tuple[int, int]) -> None:
    torchs = nn.Parameter(torch.randn(shape, generator=torch.Generator().manual_seed(1)))
    ours = nn.Parameter(torchs.detach().clone())
    before = torchs.detach().clone()
    settings = {"weight_decay": 0.1, "adjust_lr_fn": "original"}
    theirs = torch.optim.Muon([torchs], lr=0.1, momentum=0.9, **settings)
    muon = Muon([{"params": [ours], "weight_decay": 0.1}], 0.9, "original")
    muon.found_inf = torch.tensor(0.0)
    muon.param_groups[0]["lr"] = 0.1
    for step in range(3):
        torchs.grad = torch.randn(shape, generator=torch.Generator().manual_seed(step))
        ours.grad = torchs.grad.clone()
        theirs.step()
        muon.step()
    moved, apart = (torchs - before).detach().norm(), (ours - torchs).detach().norm()
    assert float(apart) < 0.02 * float(moved)


def test_the_kinds_of_parameters_are_told_apart_in_the_model(recipe: Recipe) -> None:
    model = GPT(recipe.model, 257)
    kinds = {name: parameter_kind(model, name) for name, _ in model.named_parameters()}
    assert {kinds[name] for name in kinds if "embedding" in name} == {"embedding"}
    assert kinds["head.weight"] == "head"
    assert {kinds[name] for name in kinds if name.endswith("bias") or "norm" in name} == {"scalar"}
    hidden = {name for name, kind in kinds.items() if kind == "matrix"}
    assert {name.rpartition(".")[2] for name in hidden} == {"weight"}
    assert len(hidden) == 4 * recipe.model.layers
