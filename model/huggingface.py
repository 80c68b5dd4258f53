"""GPT-2 as Hugging Face stores it: its configuration, and the names and shapes of its parameters.

Quick to import: does not import torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from model.config import Activation, ModelConfig
from model.export_format import Export, Source, common_fields, held, misfit

PREFIX = "transformer."
"""Prefix of parameter names; files of GPT-2 without its head, such as OpenAI's, lack it."""

FIXED_FIELDS: Mapping[str, Any] = {
    "layer_norm_epsilon": 1e-5,
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
}
"""Fields of GPT-2's configuration for which this network supports only this value."""

ACTIVATIONS: Mapping[Activation, str] = {
    "gelu": "gelu_new",
    "gelu_exact": "gelu",
    "relu2": "relu2",
    "silu": "silu",
}
"""What transformers calls each `activation` that it computes in a GPT-2, all but the gated one."""
ACTIVATION_ALIASES = {
    "gelu_pytorch_tanh": "gelu_new",
    "gelu_python_tanh": "gelu_new",
    "gelu_python": "gelu",
    "swish": "silu",
}
"""Other names of an activation function."""

EXPORTS: Mapping[str, Export] = {
    "layers": Export(keys=("n_layer",)),
    "heads": Export(keys=("n_head",)),
    "width": Export(keys=("n_embd",)),
    "context": Export(keys=("n_positions",)),
    "dropout": Export(keys=("attn_pdrop", "embd_pdrop", "resid_pdrop")),
    "qkv_bias": Export(),  # held by the weights: a model without the bias has one of zeros
    "norm": Export(
        only="layer",
        reason="GPT-2's format has LayerNorm only, with a mean and a bias that RMSNorm lacks",
    ),
    "init_std": Export(keys=("initializer_range",)),
    "tie_embeddings": Export(keys=("tie_word_embeddings",)),
    "position": Export(
        only="learned", reason="GPT-2's format has an embedding of each position, and no other kind"
    ),
    "rope_base": Export(only=10_000.0, reason="GPT-2's format has no RoPE"),
    "rope_share": Export(only=1.0, reason="GPT-2's format has no RoPE"),
    "qk_norm": Export(only=False, reason="GPT-2's format has no norm of queries and keys"),
    "kv_heads": Export(only=None, reason="GPT-2's format has keys and values for each head"),
    "window": Export(only=None, reason="in GPT-2's format every layer sees the whole context"),
    "window_pattern": Export(
        only="S", reason="in GPT-2's format every layer sees the whole context"
    ),
    "activation": Export(),  # written as transformers calls it; see `misfit` for the gated one
    "biases": Export(),  # held by the weights: a model without biases has biases of zeros
    "logit_softcap": Export(only=None, reason="GPT-2's format has no cap of the logits"),
    "zero_init_projections": Export(),  # concerns the initial weights only
    "residual_scale": Export(only=False, reason="GPT-2's format has no factors of the residuals"),
    "value_embeddings": Export(only=False, reason="GPT-2's format has no embeddings of values"),
    "experts": Export(only=None, reason="GPT-2's format has no experts"),
    "active_experts": Export(),  # without effect, since experts are refused
    "expert_balance": Export(),
}
"""How GPT-2's format holds each field of `ModelConfig`. A model with a field that is missing here is
exported in another format."""

DEFAULT_SIZES = {
    "n_layer": 12,
    "n_head": 12,
    "n_embd": 768,
    "n_positions": 1024,
    "vocab_size": 50_257,
}
"""GPT-2's defaults for sizes that a configuration leaves out."""

_TOP = {
    "token_embedding.weight": "wte.weight",
    "position_embedding.weight": "wpe.weight",
    "final_norm.weight": "ln_f.weight",
    "final_norm.bias": "ln_f.bias",
}
_BLOCK: Mapping[str, tuple[str, tuple[int, int] | None]] = {
    "attention_norm": ("ln_1", None),
    "attention.qkv": ("attn.c_attn", (1, 3)),
    "attention.projection": ("attn.c_proj", (1, 1)),
    "feed_forward_norm": ("ln_2", None),
    "feed_forward.expand": ("mlp.c_fc", (1, 4)),
    "feed_forward.projection": ("mlp.c_proj", (4, 1)),
}
"""The layers of a block: GPT-2's name, and (inputs, outputs) as multiples of the width, None for
norms."""


class Parameter(NamedTuple):
    """A parameter in GPT-2's format."""

    name: str
    shape: tuple[int, ...]
    transposed: bool = False
    """True if its shape is (inputs, outputs); this package has (outputs, inputs)."""


def parameters(config: ModelConfig, vocabulary: int) -> dict[str, Parameter]:
    """GPT-2's parameters by this package's names; without the head if it is tied.

    The bias of `attention.qkv` is always included, since GPT-2 always has one.
    """
    width = config.width
    rows = {"wte.weight": (vocabulary, width), "wpe.weight": (config.context, width)}
    found = {
        ours: Parameter(PREFIX + theirs, rows.get(theirs, (width,)))
        for ours, theirs in _TOP.items()
    }
    for index in range(config.layers):
        found |= _block(index, width)
    if not config.tie_embeddings:
        found["head.weight"] = Parameter("lm_head.weight", (vocabulary, width))
    return found


def _block(index: int, width: int) -> dict[str, Parameter]:
    found = {}
    for ours, (theirs, multiples) in _BLOCK.items():
        inputs, outputs = multiples or (1, 1)
        matrix = (inputs * width, outputs * width)
        here, there = f"blocks.{index}.{ours}", f"{PREFIX}h.{index}.{theirs}"
        shape = matrix if multiples else (width,)
        found[f"{here}.weight"] = Parameter(f"{there}.weight", shape, multiples is not None)
        found[f"{here}.bias"] = Parameter(f"{there}.bias", (outputs * width,))
    return found


class GPT2:
    """The format of `GPT2LMHeadModel`."""

    model_type = "gpt2"
    class_name = "GPT2LMHeadModel"
    code = ()

    def misfit(self, config: ModelConfig) -> str | None:
        """See `ExportFormat`."""
        found = misfit(config, EXPORTS, "GPT-2's format")
        if found is None and config.activation not in ACTIVATIONS:
            return f"model.activation = {config.activation!r}: GPT-2's format has no gate"
        return found

    def fields(self, config: ModelConfig, vocabulary: int, end_of_text: int) -> dict[str, Any]:
        """See `ExportFormat`."""
        return {
            **FIXED_FIELDS,
            **common_fields(self.class_name, vocabulary, end_of_text),
            **held(config, EXPORTS),
            "activation_function": ACTIVATIONS[config.activation],
            "model_type": self.model_type,
            "n_inner": None,
        }

    def read(self, fields: Mapping[str, Any]) -> ModelConfig:
        """See `ExportFormat`."""
        return from_fields(fields)[0]

    def tensors(self, config: ModelConfig, vocabulary: int) -> dict[str, Source]:
        """See `ExportFormat`; a bias that the model lacks is zeros."""
        return {
            each.name: Source(ours, each.shape, each.transposed)
            for ours, each in parameters(config, vocabulary).items()
        }


def from_fields(fields: Mapping[str, Any]) -> tuple[ModelConfig, int]:
    """The model configuration (with QKV bias) and vocabulary size that a `config.json` describes.

    Raises ValueError, with the reason, for another model or an unsupported variant of GPT-2.
    """
    kind = fields.get("model_type")
    if kind != "gpt2":
        raise ValueError(
            f"model_type is {kind!r}, and only 'gpt2', 'llama' and 'gpt_sweep' can be read"
        )
    for name, wanted in FIXED_FIELDS.items():
        found = fields.get(name, wanted)
        if found != wanted:
            raise ValueError(f"{name} is {found!r}, and only {wanted!r} can be computed")
    activation = _activation(fields)
    sizes = {name: fields.get(name, default) for name, default in DEFAULT_SIZES.items()}
    if any(type(size) is not int or size < 1 for size in sizes.values()):
        raise ValueError(f"its sizes are not all whole numbers: {sizes}")
    inner = fields.get("n_inner")
    if inner not in (None, 4 * sizes["n_embd"]):
        raise ValueError(f"n_inner is {inner!r}, and only four times n_embd can be computed")
    try:
        config = ModelConfig(
            layers=sizes["n_layer"],
            heads=sizes["n_head"],
            width=sizes["n_embd"],
            context=sizes["n_positions"],
            qkv_bias=True,
            norm="layer",
            activation=activation,
            tie_embeddings=fields.get("tie_word_embeddings", True),
        )
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error
    return config, sizes["vocab_size"]


def _activation(fields: Mapping[str, Any]) -> Activation:
    """The `activation` that a `config.json` names. Raises ValueError for any other function."""
    name = fields.get("activation_function", ACTIVATIONS["gelu"])
    ours = {theirs: ours for ours, theirs in ACTIVATIONS.items()}
    found = ours.get(ACTIVATION_ALIASES.get(str(name), str(name)))
    if found is None:
        known = ", ".join(map(repr, ours))
        raise ValueError(f"activation_function is {name!r}, and only {known} can be computed")
    return found
