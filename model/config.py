"""The configuration of the network. Quick to import: does not import torch."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def _whole(value: Any) -> Any:  # noqa: ANN401  (any TOML value)
    """Turn `4.0` into the integer 4; leave all other values for pydantic to check."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = BeforeValidator(_whole)
"""Lets an integer be written with a decimal point: `4.0` or `1e6`."""


def _parse_none(value: Any) -> Any:  # noqa: ANN401  (any TOML value)
    """Turn "none" into None. TOML has no null, so a study that removes clipping writes "none"."""
    return None if value == "none" else value


NoneWord = BeforeValidator(_parse_none)
"""Lets a field that may be None be written as "none"."""

Count = Annotated[int, Whole, Field(ge=1, le=2**62)]
"""An integer of at least 1."""

Size = Annotated[int, Whole, Field(ge=1, le=2**20)]
"""One dimension of the network; the upper bound catches typing errors."""

OptionalSize = Annotated[Size | None, NoneWord]
"""A size, or `none`."""

Activation = Literal["gelu", "gelu_exact", "relu2", "silu", "swiglu"]
"""The activation of the feed-forward network."""


class Config(BaseModel):
    """Base of all configurations: frozen, strict about types, refuses unknown fields."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


def _divisor_near(number: int, whole: int) -> int:
    """The divisor of `whole` that is nearest to `number`, and the smaller one of two."""
    divisors = (n for n in range(1, whole + 1) if whole % n == 0)
    return min(divisors, key=lambda n: (abs(n - number), n))


class ModelConfig(Config):
    """A GPT-2-style decoder; the defaults are GPT-2 small, untied and without QKV bias."""

    layers: Size = 12
    """Transformer blocks."""
    heads: Size = 12
    """Attention heads per block; must divide `width`."""
    width: Size = 768
    """Channels of the residual stream."""
    context: Size = 1024
    """Tokens that the model sees at once."""
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Dropout rate after the embedding, on attention weights and at the end of each residual branch."""
    qkv_bias: bool = False
    """If true, the query, key and value projections have a bias, as in OpenAI's GPT-2."""
    norm: Literal["layer", "rms"] = "layer"
    """`layer`: LayerNorm (Ba et al. 2016). `rms`: RMSNorm, without mean or bias (Zhang 2019)."""
    init_std: float = Field(default=0.02, gt=0, le=10)
    """Standard deviation of the initial matrices; the default, GPT-2's, suits a width of 768 or more."""
    tie_embeddings: bool = False
    """If true, the output projection is the token embedding (Press and Wolf 2017)."""

    position: Literal["learned", "rope", "none"] = "learned"
    """`learned`: an embedding per position. `rope`: queries and keys are rotated (RoFormer, Su et al. 2021). `none`: only the causal mask orders tokens (Haviv et al. 2022)."""
    rope_base: float = Field(default=10_000.0, gt=1, le=1e12)
    """Base of RoPE's wavelengths: the longest is 2 pi times this."""
    rope_share: float = Field(default=1.0, gt=0, le=1)
    """Share of a head's channels that RoPE rotates, the first ones (GPT-NeoX, Black et al. 2022); rounded down to pairs."""
    qk_norm: bool = False
    """If true, RMSNorm of the queries and keys of each head, before RoPE (Henry et al. 2020; as in Qwen3)."""
    kv_heads: OptionalSize = None
    """Heads of keys and values, each for several heads of queries (Ainslie et al. 2023); must divide `heads`; `none` for one each."""
    window: OptionalSize = None
    """Positions that are attended to in a layer with a window, the query's included (Beltagy et al. 2020); `none` for all."""
    window_pattern: Annotated[str, Field(pattern="^[SL]{1,64}$")] = "S"
    """Which layers have the window (`S`) or the whole context (`L`), repeated over the layers: `SSSL`."""
    activation: Activation = "gelu"
    """`gelu`: its tanh form. `gelu_exact`: with erf (Hendrycks and Gimpel 2016). `relu2`: squared ReLU (So et al. 2021). `silu`: x sigmoid(x). `swiglu`: gated (Shazeer 2020), with 8/3 `width` hidden channels in place of 4."""
    biases: Literal["all", "none"] = "all"
    """`none`: no layer and no norm has a bias (as PaLM, Chowdhery et al. 2022)."""
    logit_softcap: Annotated[Annotated[float, Field(gt=0, le=1e6)] | None, NoneWord] = None
    """Logits become c tanh(logits / c) with this c (Gemma 2, 2024); `none` to leave them as they are."""
    zero_init_projections: bool = False
    """If true, the last matrix of each residual branch is zero at first, so that blocks begin as the identity (Zhang et al. 2019, Fixup)."""
    residual_scale: bool = False
    """If true, each block begins with a x + b e, where e is the embedding and a, b are learned, at first 1 and 0 (modded-nanogpt, Jordan et al. 2024)."""
    value_embeddings: bool = False
    """If true, every second layer, the last among them, adds a learned embedding of each token to its values, with learned factors, at first 1/2 and 1/2 (modded-nanogpt)."""
    experts: Annotated[Annotated[int, Whole, Field(ge=2, le=4096)] | None, NoneWord] = None
    """Experts in place of each feed-forward network (Shazeer et al. 2017), without biases; `none` for the dense network."""
    active_experts: Size = 2
    """Experts that a token is sent to. Each has 1/active of the dense network's hidden channels, so that a token takes as many operations."""
    expert_balance: float = Field(default=0.01, ge=0, le=1e3)
    """Factor of the loss that keeps the experts equally used in each sequence (DeepSeek-V3, 2024); 0 for none. The loss curve is without it."""

    @property
    def head_channels(self) -> int:
        """Channels of one attention head."""
        return self.width // self.heads

    @property
    def key_value_heads(self) -> int:
        """Heads of keys and values."""
        return self.kv_heads or self.heads

    @property
    def rotated_channels(self) -> int:
        """Channels of a head that RoPE rotates: whole pairs."""
        return 2 * int(self.rope_share * self.head_channels / 2)

    @property
    def hidden_channels(self) -> int:
        """Hidden channels of the feed-forward network, or of one of its experts.

        With a gate it has three matrices in place of two, and 8/3 width, rounded to a multiple of 8,
        gives it as many parameters.
        """
        active = 1 if self.experts is None else self.active_experts
        if self.activation == "swiglu":
            return 8 * max(1, round(self.width / (3 * active)))
        return 4 * self.width // active

    def has_value_embedding(self, layer: int) -> bool:
        """True for every second layer, the last one among them."""
        return self.value_embeddings and (self.layers - 1 - layer) % 2 == 0

    def window_of(self, layer: int) -> int | None:
        """Positions that a layer attends to; None for all."""
        has_window = self.window_pattern[layer % len(self.window_pattern)] == "S"
        return self.window if has_window else None

    @model_validator(mode="after")
    def _every_field_has_an_effect(self) -> ModelConfig:
        for field, (works, remedy) in {
            "rope_base": (self.position == "rope", 'position = "rope"'),
            "rope_share": (self.position == "rope", 'position = "rope"'),
            "window_pattern": (self.window is not None, "a window"),
            "active_experts": (self.experts is not None, "experts"),
            "expert_balance": (self.experts is not None, "experts"),
        }.items():
            value = getattr(self, field)
            if not works and value != type(self).model_fields[field].default:
                raise ValueError(
                    f"{field} = {json.dumps(value)} has no effect without {remedy}; leave it out, "
                    f"or set {remedy}"
                )
        return self

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> ModelConfig:
        if self.width % self.heads:
            nearest = _divisor_near(self.heads, self.width)
            raise ValueError(
                f"width = {self.width} cannot be divided among heads = {self.heads}; "
                f"heads must divide the width, the nearest that does is {nearest}"
            )
        return self

    @model_validator(mode="after")
    def _heads_can_share_keys_and_values(self) -> ModelConfig:
        if self.heads % self.key_value_heads:
            nearest = _divisor_near(self.key_value_heads, self.heads)
            raise ValueError(
                f"heads = {self.heads} cannot share kv_heads = {self.kv_heads} equally; "
                f"kv_heads must divide heads, the nearest that does is {nearest}"
            )
        return self

    @model_validator(mode="after")
    def _rope_rotates_a_pair(self) -> ModelConfig:
        if self.position == "rope" and self.rotated_channels == 0:
            raise ValueError(
                f"RoPE rotates pairs of channels, and rope_share = {self.rope_share:g} of the "
                f"{self.head_channels} channels of a head is less than one pair; use fewer heads"
                + (
                    f", or rope_share = {2 / self.head_channels:.4g}"
                    if self.head_channels > 1
                    else ""
                )
            )
        return self

    @model_validator(mode="after")
    def _a_window_has_an_effect(self) -> ModelConfig:
        if self.window is None:
            return self
        if self.window >= self.context:
            raise ValueError(
                f"window = {self.window} has no effect with context = {self.context}; "
                "use a smaller one, or leave it out"
            )
        if not any(map(self.window_of, range(min(self.layers, 64)))):
            raise ValueError(
                f'window = {self.window} has no effect with window_pattern = "{self.window_pattern}"; '
                "at least one layer needs an S"
            )
        return self

    @model_validator(mode="after")
    def _biases_do_not_contradict(self) -> ModelConfig:
        if self.biases == "none" and self.qkv_bias:
            raise ValueError(
                'biases = "none" contradicts qkv_bias = true; set qkv_bias = false, or biases = "all"'
            )
        return self

    @model_validator(mode="after")
    def _experts_share_the_hidden_channels(self) -> ModelConfig:
        if self.experts is None:
            return self
        if self.active_experts > self.experts:
            raise ValueError(
                f"active_experts = {self.active_experts} is more than experts = {self.experts}"
            )
        if self.activation != "swiglu" and 4 * self.width % self.active_experts:
            raise ValueError(
                f"active_experts = {self.active_experts} does not divide the {4 * self.width} hidden "
                f"channels of width = {self.width}; use another number or width"
            )
        return self
