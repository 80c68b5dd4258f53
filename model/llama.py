"""Llama as Hugging Face stores it: its configuration, and where its parameters come from.

Does not import torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model.config import ModelConfig
from model.export_format import Export, Source, common_fields, held, make_config, misfit, values_of

EXPORTS: Mapping[str, Export] = {
    "layers": Export(keys=("num_hidden_layers",)),
    "heads": Export(keys=("num_attention_heads",)),
    "width": Export(keys=("hidden_size",)),
    "context": Export(keys=("max_position_embeddings",)),
    "dropout": Export(keys=("attention_dropout",)),  # Llama has none elsewhere
    "qkv_bias": Export(),  # held by the weights: see `_biased`
    "norm": Export(only="rms", reason="Llama's format has RMSNorm only"),
    "init_std": Export(keys=("initializer_range",)),
    "tie_embeddings": Export(keys=("tie_word_embeddings",)),
    "position": Export(only="rope", reason="Llama's format has RoPE, and no other positions"),
    "rope_base": Export(keys=("rope_theta",)),
    "rope_share": Export(only=1.0, reason="Llama's format rotates all channels of a head"),
    "qk_norm": Export(only=False, reason="Llama's format has no norm of queries and keys"),
    "kv_heads": Export(),  # written as the number that it stands for
    "window": Export(only=None, reason="in Llama's format every layer sees the whole context"),
    "window_pattern": Export(
        only="S", reason="in Llama's format every layer sees the whole context"
    ),
    "activation": Export(only="swiglu", reason="Llama's format has a gated activation"),
    "biases": Export(),  # see `_biased`
    "logit_softcap": Export(only=None, reason="Llama's format has no cap of the logits"),
    "zero_init_projections": Export(),  # concerns the initial weights only
    "residual_scale": Export(only=False, reason="Llama's format has no factors of the residuals"),
    "value_embeddings": Export(only=False, reason="Llama's format has no embeddings of values"),
    "experts": Export(only=None, reason="Llama's format has no experts"),
    "active_experts": Export(),  # without effect, since experts are refused
    "expert_balance": Export(),
}
"""How Llama's format holds each field of `ModelConfig`."""

LARGEST_INIT_STD = 1.0
"""The largest standard deviation of initial weights that transformers accepts for a Llama."""

DEFAULTS = {"rms_norm_eps": 1e-6, "attention_bias": False, "mlp_bias": False}
"""Llama's defaults for keys that a configuration leaves out."""
COMPARED = frozenset(
    {"rms_norm_eps", "hidden_act", "attention_bias", "mlp_bias", "intermediate_size", "head_dim"}
)
"""Keys of which this network computes one value only, given the others."""

_NORMS = {"attention_norm": "input_layernorm", "feed_forward_norm": "post_attention_layernorm"}


class Llama:
    """The format of `LlamaForCausalLM`."""

    model_type = "llama"
    class_name = "LlamaForCausalLM"
    code = ()

    def misfit(self, config: ModelConfig) -> str | None:
        """See `ExportFormat`."""
        if config.head_channels % 2:
            return f"model.heads = {config.heads!r}: Llama's format rotates all channels, in pairs"
        if config.init_std > LARGEST_INIT_STD:
            return f"model.init_std = {config.init_std!r}: Llama's format has at most 1"
        return misfit(config, EXPORTS, "Llama's format")

    def fields(self, config: ModelConfig, vocabulary: int, end_of_text: int) -> dict[str, Any]:
        """See `ExportFormat`."""
        return {
            **common_fields(self.class_name, vocabulary, end_of_text),
            **held(config, EXPORTS),
            "model_type": self.model_type,
            "num_key_value_heads": config.key_value_heads,
            "head_dim": config.head_channels,
            "intermediate_size": config.hidden_channels,
            "hidden_act": "silu",
            "rms_norm_eps": 1e-5,
            "attention_bias": _biased(config),
            "mlp_bias": _biased(config),
            # As transformers since version 5 calls `rope_theta`.
            "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_base},
        }

    def read(self, fields: Mapping[str, Any]) -> ModelConfig:
        """See `ExportFormat`."""
        found = {**DEFAULTS, **fields}
        rope = found.get("rope_parameters")
        if not isinstance(rope, dict):  # before version 5 of transformers
            rope = {"rope_theta": found.get("rope_theta", 10_000.0)}
        if rope.get("rope_type", "default") != "default" or found.get("rope_scaling"):
            raise ValueError("its RoPE is scaled, and only plain RoPE can be computed")
        shared = found.get("num_key_value_heads")
        config = make_config(
            {
                **values_of(found, EXPORTS),
                "norm": "rms",
                "position": "rope",
                "activation": "swiglu",
                "rope_base": rope.get("rope_theta"),
                "kv_heads": None if shared == found.get("num_attention_heads") else shared,
                "biases": "all" if found["mlp_bias"] else "none",
                "qkv_bias": found["mlp_bias"],
            }
        )
        wanted = self.fields(config, 1, 0)
        for name in sorted(COMPARED):
            if name in found and found[name] not in (None, wanted[name]):
                raise ValueError(
                    f"{name} is {found[name]!r}, and only {wanted[name]!r} can be computed"
                )
        return config

    def tensors(self, config: ModelConfig, vocabulary: int) -> dict[str, Source]:
        """See `ExportFormat`."""
        width = config.width
        found = {
            "model.embed_tokens.weight": Source("token_embedding.weight", (vocabulary, width)),
            "model.norm.weight": Source("final_norm.weight", (width,)),
        }
        if not config.tie_embeddings:
            found["lm_head.weight"] = Source("head.weight", (vocabulary, width))
        for layer in range(config.layers):
            found |= {
                f"model.layers.{layer}.{name}": source._replace(
                    name=f"blocks.{layer}.{source.name}"
                )
                for name, source in _block(config).items()
            }
        return found


def _block(config: ModelConfig) -> dict[str, Source]:
    """The tensors of a block, with names inside the block."""
    width, hidden = config.width, config.hidden_channels
    shared = config.key_value_heads * config.head_channels
    found = {
        f"{theirs}.weight": Source(f"{ours}.weight", (width,)) for ours, theirs in _NORMS.items()
    }
    found |= _linear("self_attn.q_proj", "attention.qkv", (width, width), config)
    found |= _linear("self_attn.k_proj", "attention.qkv", (shared, width), config, first=width)
    found |= _linear(
        "self_attn.v_proj", "attention.qkv", (shared, width), config, first=width + shared
    )
    found |= _linear("self_attn.o_proj", "attention.projection", (width, width), config)
    found |= _linear("mlp.gate_proj", "feed_forward.gate", (hidden, width), config)
    found |= _linear("mlp.up_proj", "feed_forward.expand", (hidden, width), config)
    return found | _linear("mlp.down_proj", "feed_forward.projection", (width, hidden), config)


def _linear(
    theirs: str, ours: str, shape: tuple[int, int], config: ModelConfig, first: int = 0
) -> dict[str, Source]:
    """The matrix, whose rows begin with row `first` of ours, and its bias, if Llama has biases."""
    found = {f"{theirs}.weight": Source(f"{ours}.weight", shape, first=first)}
    if _biased(config):
        found[f"{theirs}.bias"] = Source(f"{ours}.bias", shape[:1], first=first)
    return found


def _biased(config: ModelConfig) -> bool:
    """True if the layers have biases; those of queries, keys and values may be zeros."""
    return config.biases == "all"
