from __future__ import annotations

import pytest
import torch

from model.config import ModelConfig
from model.gpt import GPT
from model.init import initialise

VOCABULARY = 31


def initial(
    config: ModelConfig, seed: int = 3, vocabulary: int = VOCABULARY
) -> dict[str, torch.Tensor]:
    model = GPT(config, vocabulary)
    initialise(model, seed)
    return {name: p.detach() for name, p in model.named_parameters()}


def differing(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> set[str]:
    return {name for name in one.keys() & other.keys() if not torch.equal(one[name], other[name])}


def test_turning_on_qkv_bias_leaves_every_other_initial_parameter_bit_identical(
    shape: ModelConfig,
) -> None:
    without = initial(shape)
    biased = initial(shape.model_copy(update={"qkv_bias": True}))
    assert biased.keys() - without.keys() == {f"blocks.{i}.attention.qkv.bias" for i in range(2)}
    assert not without.keys() - biased.keys()
    assert not differing(without, biased)


def test_tying_the_embeddings_leaves_every_other_initial_parameter_bit_identical(
    shape: ModelConfig,
) -> None:
    untied, tied = initial(shape), initial(shape.model_copy(update={"tie_embeddings": True}))
    assert untied.keys() - tied.keys() == {"head.weight"}
    assert not tied.keys() - untied.keys()
    assert not differing(untied, tied)


def test_turning_off_dropout_leaves_every_initial_parameter_bit_identical(
    shape: ModelConfig,
) -> None:
    assert not differing(initial(shape), initial(shape.model_copy(update={"dropout": 0.0})))


def test_a_resized_parameter_leaves_the_others_bit_identical(shape: ModelConfig) -> None:
    short = initial(shape)
    long = initial(shape.model_copy(update={"context": 24}))
    assert differing(short, long) == {"position_embedding.weight"}


def test_another_depth_changes_only_the_scale_of_the_residual_branches(shape: ModelConfig) -> None:
    shallow, deep = initial(shape), initial(shape.model_copy(update={"layers": 8}))
    changed = differing(shallow, deep)
    assert changed
    for name in changed:
        assert name.endswith("projection.weight")
        torch.testing.assert_close(deep[name] * 2, shallow[name])  # sqrt(8 / 2) = 2


def test_another_seed_draws_every_matrix_anew(shape: ModelConfig) -> None:
    matrices = {name for name, p in initial(shape).items() if p.dim() == 2}
    assert differing(initial(shape, seed=3), initial(shape, seed=4)) == matrices


def test_no_two_parameters_share_their_numbers(shape: ModelConfig) -> None:
    parameters = initial(shape)
    first, second = (parameters[f"blocks.{i}.feed_forward.expand.weight"] for i in range(2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("token_embedding.weight", ModelConfig().init_std),
        ("head.weight", ModelConfig().init_std),
        ("blocks.0.attention.qkv.weight", ModelConfig().init_std),
        ("blocks.1.attention.projection.weight", ModelConfig().init_std / 2),  # 2 layers: sqrt(4)
        ("blocks.1.feed_forward.projection.weight", ModelConfig().init_std / 2),
    ],
)
def test_matrices_are_normal_with_gpt2s_deviations(
    shape: ModelConfig, name: str, expected: float
) -> None:
    wide = shape.model_copy(update={"width": 128})
    weights = initial(wide, vocabulary=257)[name].double()
    # Five standard errors: sd / sqrt(n) for a mean, sd / sqrt(2 n) for a standard deviation.
    bound = 5 * expected / weights.numel() ** 0.5
    assert abs(float(weights.mean())) < bound
    assert float(weights.std()) == pytest.approx(expected, abs=bound / 2**0.5)


def test_biases_begin_at_zero_and_norms_at_one(shape: ModelConfig) -> None:
    parameters = initial(shape.model_copy(update={"qkv_bias": True}))
    vectors = {name: p for name, p in parameters.items() if p.dim() == 1}
    for name, vector in vectors.items():
        is_scale = "norm" in name and name.endswith("weight")
        assert (vector == (1 if is_scale else 0)).all(), name


def test_initialising_leaves_torchs_global_generator_alone(shape: ModelConfig) -> None:
    model = GPT(shape, VOCABULARY)
    before = torch.random.get_rng_state()
    initialise(model, 3)
    assert torch.equal(before, torch.random.get_rng_state())
