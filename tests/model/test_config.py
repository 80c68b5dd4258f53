from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from model.config import ModelConfig
from model.gpt import GPT
from model.size import parameter_count, parameter_shapes


def test_the_published_sizes_of_gpt2_small_are_met() -> None:
    assert parameter_count(ModelConfig(), 50_257) == 163_009_536
    openai = ModelConfig(qkv_bias=True, tie_embeddings=True)
    assert parameter_count(openai, 50_257) == 124_439_808


@st.composite
def shapes(draw: st.DrawFn) -> ModelConfig:
    heads = draw(st.integers(1, 4))
    return ModelConfig(
        layers=draw(st.integers(1, 3)),
        heads=heads,
        width=heads * draw(st.integers(1, 5)),
        context=draw(st.integers(1, 9)),
        qkv_bias=draw(st.booleans()),
        norm=draw(st.sampled_from(["layer", "rms"])),
        tie_embeddings=draw(st.booleans()),
    )


@settings(max_examples=20)
@given(config=shapes(), vocabulary=st.integers(1, 30))
def test_count_and_shapes_of_the_parameters_are_those_of_the_real_module(
    config: ModelConfig, vocabulary: int
) -> None:
    with torch.device("meta"):
        module = GPT(config, vocabulary)
    shapes = {name: tuple(p.shape) for name, p in module.named_parameters()}
    assert parameter_shapes(config, vocabulary) == shapes
    assert parameter_count(config, vocabulary) == sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("width", "heads", "nearest"), [(64, 5, 4), (60, 7, 6), (7, 3, 1), (12, 100, 12)]
)
def test_heads_that_do_not_divide_the_width_are_refused_with_the_nearest_that_do(
    width: int, heads: int, nearest: int
) -> None:
    with pytest.raises(ValidationError) as refusal:
        ModelConfig(width=width, heads=heads)
    assert (
        f"width = {width} cannot be divided among heads = {heads}; "
        f"heads must divide the width, the nearest that does is {nearest}" in str(refusal.value)
    )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("layers", 0, "greater than or equal to 1"),
        ("layers", -1, "greater than or equal to 1"),
        ("layers", True, "valid integer"),
        ("layers", "2", "valid integer"),
        ("layers", 2.5, "valid integer"),
        ("width", 10**15, "less than or equal to 1048576"),
        ("dropout", 1.0, "less than 1"),
        ("dropout", -0.1, "greater than or equal to 0"),
        ("dropout", float("nan"), "finite number"),
        ("dropout", True, "valid number"),
        ("qkv_bias", 1, "valid boolean"),
        ("qkv_bais", True, "Extra inputs are not permitted"),
    ],
)
def test_a_bad_value_is_refused_with_its_reason(field: str, value: Any, message: str) -> None:  # noqa: ANN401  (bad on purpose)
    with pytest.raises(ValidationError, match=message) as refusal:
        ModelConfig.model_validate({field: value})
    assert refusal.value.errors()[0]["loc"] == (field,)


def test_a_whole_number_may_be_written_with_a_decimal_point() -> None:
    assert ModelConfig.model_validate({"layers": 2.0}) == ModelConfig(layers=2)


def test_a_config_cannot_be_changed_once_made(shape: ModelConfig) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        shape.layers = 3  # type: ignore[misc]  # that it is refused is the promise


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"rope_base": 500.0},
            'rope_base = 500.0 has no effect without position = "rope"; leave it',
        ),
        ({"rope_share": 0.5}, 'rope_share = 0.5 has no effect without position = "rope"'),
        (
            {"position": "rope", "rope_share": 0.01, "width": 64, "heads": 8},
            (
                "rope_share = 0.01 of the 8 channels of a head is less than one pair; use fewer heads, or "
                "rope_share = 0.25"
            ),
        ),
        (
            {"kv_heads": 5},
            "heads = 12 cannot share kv_heads = 5 equally; kv_heads must divide heads",
        ),
        ({"kv_heads": 24}, "the nearest that does is 12"),
        ({"window": 1024}, "window = 1024 has no effect with context = 1024; use a smaller one"),
        ({"window_pattern": "SL"}, 'window_pattern = "SL" has no effect without a window'),
        ({"biases": "none", "qkv_bias": True}, 'biases = "none" contradicts qkv_bias = true; set'),
        ({"experts": 4, "active_experts": 5}, "active_experts = 5 is more than experts = 4"),
        (
            {"expert_balance": 0.1},
            "expert_balance = 0.1 has no effect without experts; leave it out",
        ),
        ({"experts": 9, "active_experts": 5}, "active_experts = 5 does not divide the 3072 hidden"),
        ({"logit_softcap": 0.0}, "greater than 0"),
        ({"window": 8, "window_pattern": "L"}, 'has no effect with window_pattern = "L"'),
    ],
)
def test_fields_that_do_not_fit_together_are_refused_in_a_sentence(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError) as refusal:
        ModelConfig.model_validate(fields)
    assert message in str(refusal.value)


def test_a_field_without_effect_may_be_given_its_default() -> None:
    """A recipe is stored with all its fields, and an intervention can undo the baseline's."""
    every = ModelConfig(kv_heads=12).model_dump()
    assert ModelConfig.model_validate(every) == ModelConfig(kv_heads=12)
    assert ModelConfig.model_validate({"kv_heads": "none"}) == ModelConfig()
