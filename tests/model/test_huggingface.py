from __future__ import annotations

from typing import Any

import pytest

from model.config import ModelConfig
from model.export_formats import format_of
from model.huggingface import ACTIVATIONS, GPT2, from_fields, parameters
from model.llama import Llama
from model.own_code import OwnCode

SHAPE = ModelConfig(layers=2, heads=2, width=16, context=12, qkv_bias=True)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_configuration_survives_writing_and_reading(tied: bool, activation: str) -> None:
    config = SHAPE.model_copy(update={"tie_embeddings": tied, "activation": activation})
    assert from_fields(GPT2().fields(config, 31, 30)) == (config, 31)


@pytest.mark.parametrize(
    ("change", "class_name"),
    [
        *(({"activation": activation}, "GPT2LMHeadModel") for activation in ACTIVATIONS),
        ({"activation": "swiglu"}, "GPTSweepForCausalLM"),
        ({"norm": "rms"}, "GPTSweepForCausalLM"),
        ({"norm": "rms", "position": "rope", "activation": "swiglu"}, "LlamaForCausalLM"),
        (
            {"norm": "rms", "position": "rope", "activation": "swiglu", "init_std": 2.0},
            "GPTSweepForCausalLM",
        ),
    ],
)
def test_the_first_format_that_holds_a_model_is_used(
    change: dict[str, Any], class_name: str
) -> None:
    config = SHAPE.model_copy(update=change)
    assert format_of(config).class_name == class_name


LLAMA = ModelConfig(
    layers=2,
    heads=4,
    width=32,
    context=12,
    norm="rms",
    position="rope",
    activation="swiglu",
    biases="none",
    kv_heads=2,
    rope_base=500.0,
)


@pytest.mark.parametrize("config", [LLAMA, SHAPE], ids=["llama", "own-code"])
def test_other_formats_survive_writing_and_reading(config: ModelConfig) -> None:
    export_format = Llama() if config is LLAMA else OwnCode()
    assert export_format.read(export_format.fields(config, 31, 30)) == config


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"rms_norm_eps": 1e-6}, "rms_norm_eps is 1e-06, and only 1e-05 can be computed"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu', and only 'silu' can be computed"),
        ({"intermediate_size": 17}, "intermediate_size is 17, and only 88 can be computed"),
        ({"attention_bias": True}, "attention_bias is True, and only False can be computed"),
        ({"rope_parameters": {"rope_type": "yarn"}}, "its RoPE is scaled, and only plain"),
        ({"rope_scaling": {"factor": 2}}, "its RoPE is scaled, and only plain RoPE"),
        ({"num_hidden_layers": "two"}, "layers: Input should be a valid integer"),
    ],
)
def test_an_unsupported_variant_of_llama_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011  (its words are compared)
        Llama().read(Llama().fields(LLAMA, 31, 30) | change)
    assert str(refused.value).startswith(sentence)


def test_gpt2s_format_says_why_it_does_not_hold_a_model() -> None:
    reason = GPT2().misfit(SHAPE.model_copy(update={"norm": "rms"}))
    assert reason is not None
    assert reason.startswith("model.norm = 'rms': GPT-2's format has LayerNorm only")
    gated = SHAPE.model_copy(update={"activation": "swiglu"})
    assert GPT2().misfit(gated) == "model.activation = 'swiglu': GPT-2's format has no gate"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model_type": "opt"}, "model_type is 'opt', and only 'gpt2', 'llama' and 'gpt_sweep'"),
        ({"activation_function": "relu"}, "activation_function is 'relu', and only 'gelu_new'"),
        ({"activation_function": ["relu"]}, "activation_function is ['relu'], and only 'gelu_new'"),
        ({"layer_norm_epsilon": 1e-6}, "layer_norm_epsilon is 1e-06, and only 1e-05"),
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx is True"),
        ({"n_inner": 17}, "n_inner is 17, and only four times n_embd"),
        ({"n_layer": "two"}, "its sizes are not all whole numbers"),
        ({"n_layer": True}, "its sizes are not all whole numbers"),
        ({"n_head": 3}, "width = 16 cannot be divided among heads = 3"),
        ({"n_layer": 2**40}, "Input should be less than or equal to 1048576"),
    ],
)
def test_an_unsupported_variant_of_gpt2_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011  (its words are compared)
        from_fields(GPT2().fields(SHAPE, 31, 30) | change)
    assert str(refused.value).startswith(sentence)


def test_keys_left_out_of_a_configuration_have_gpt2s_defaults() -> None:
    config, vocabulary = from_fields({"model_type": "gpt2"})
    assert vocabulary == 50_257
    assert config == ModelConfig(qkv_bias=True, tie_embeddings=True)


@pytest.mark.parametrize(
    ("name", "activation"),
    [("gelu_pytorch_tanh", "gelu"), ("gelu_python", "gelu_exact"), ("swish", "silu")],
)
def test_other_names_of_an_activation_are_known(name: str, activation: str) -> None:
    fields = GPT2().fields(SHAPE, 31, 30) | {"activation_function": name}
    assert from_fields(fields) == (SHAPE.model_copy(update={"activation": activation}), 31)


def test_no_two_parameters_have_one_name() -> None:
    found = parameters(SHAPE, 31)
    assert len({each.name for each in found.values()}) == len(found)
