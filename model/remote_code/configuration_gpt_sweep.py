"""The configuration of a GPT-style decoder, for transformers. Needs nothing else."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig

FIELDS: dict[str, Any] = {
    "vocab_size": 50_257,
    "layers": 12,
    "heads": 12,  # of queries
    "kv_heads": None,  # heads of keys and values, each for several heads of queries; None for `heads`
    "width": 768,  # channels of the residual stream
    "context": 1024,  # tokens that the model was trained to see at once
    "dropout": 0.1,  # after the embedding, on attention weights, at the end of each residual branch
    "qkv_bias": False,
    "biases": "all",  # or "none": neither other layers nor norms have a bias
    "norm": "layer",  # or "rms"
    "initializer_range": 0.02,  # standard deviation of initial matrices
    "zero_init_projections": False,  # True: residual branches end in zeros at first
    "position": "learned",  # or "rope", or "none"
    "rope_base": 10_000.0,
    "rope_share": 1.0,  # share of a head's channels that RoPE rotates, rounded down to pairs
    "qk_norm": False,  # RMSNorm of each head's queries and keys, before RoPE
    "window": None,  # positions that a layer with a window attends to, its own included
    "window_pattern": "S",  # layers with the window (S) or without (L), repeated over all layers
    "activation": "gelu",  # tanh form; or "gelu_exact", "relu2", "silu", "swiglu"
    "logit_softcap": None,  # c: logits become c tanh(logits / c)
    "residual_scale": False,  # each block begins with a x + b e; e is the embedding, a and b learned
    "value_embeddings": False,  # every second layer adds an embedding of the token to its values
    "experts": None,  # experts in place of each feed-forward network
    "active_experts": 2,  # experts that a token is sent to
    "expert_balance": 0.01,  # factor of the training loss that keeps experts equally used
    "tie_word_embeddings": False,
    "use_cache": True,
}
"""The fields and their defaults."""


class GPTSweepConfig(PretrainedConfig):
    """A GPT-2-style decoder and what was changed about it; see `FIELDS`."""

    model_type = "gpt_sweep"
    keys_to_ignore_at_inference = ["cache", "past_key_values"]  # noqa: RUF012  (as transformers has it)
    attribute_map = {  # noqa: RUF012  (as transformers has it)
        "hidden_size": "width",
        "num_hidden_layers": "layers",
        "num_attention_heads": "heads",
        "max_position_embeddings": "context",
    }

    def __init__(self, **fields: Any) -> None:  # noqa: ANN401  (JSON)
        for name, default in FIELDS.items():
            setattr(self, name, fields.pop(name, default))
        super().__init__(tie_word_embeddings=self.tie_word_embeddings, **fields)

    @property
    def num_key_value_heads(self) -> int:
        """Heads of keys and values."""
        return self.kv_heads or self.heads  # type: ignore[no-any-return]

    @property
    def head_dim(self) -> int:
        """Channels of a head."""
        return self.width // self.heads  # type: ignore[no-any-return]

    @property
    def rotated_channels(self) -> int:
        """Channels of a head that RoPE rotates."""
        return 2 * int(self.rope_share * self.head_dim / 2)

    @property
    def hidden_channels(self) -> int:
        """Hidden channels of the feed-forward network, or of one expert.

        SwiGLU has three matrices in place of two, and 8/3 width in place of 4.
        """
        active = self.active_experts if self.experts else 1
        if self.activation == "swiglu":
            return 8 * max(1, round(int(self.width) / (3 * active)))
        return int(4 * self.width // active)

    def window_of(self, layer: int) -> int | None:
        """Positions that a layer attends to; None for all."""
        has_window = self.window_pattern[layer % len(self.window_pattern)] == "S"
        return self.window if has_window else None

    def has_value_embedding(self, layer: int) -> bool:
        """True for every second layer, the last one among them."""
        return bool(self.value_embeddings) and (self.layers - 1 - layer) % 2 == 0
