"""The shape of the network. Light to import: no torch here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def _whole(value: Any) -> Any:  # noqa: ANN401  (whatever a study file may hold)
    """Turn `4.0` into the count 4; pydantic judges all other values."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = BeforeValidator(_whole)
"""Allows a whole number to be written with a decimal point."""

Count = Annotated[int, Whole, Field(ge=1, le=2**62)]
"""A whole number of at least 1."""

Size = Annotated[int, Whole, Field(ge=1, le=2**20)]
"""One dimension of the network; the bound refuses absurd sizes at once."""


class Config(BaseModel):
    """Base of all configurations: frozen, strict about types, without unknown fields."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


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
    """Probability of dropping after the embedding, in attention and at the end of each branch."""
    qkv_bias: bool = False
    """If true, the query, key and value projections have a bias, as in OpenAI's GPT-2."""
    norm: Literal["layer", "rms"] = "layer"
    """`layer`: LayerNorm (Ba et al. 2016). `rms`: RMSNorm, without mean or bias (Zhang 2019)."""
    init_std: float = Field(default=0.02, gt=0, le=10)
    """Standard deviation of the initial matrices; GPT-2's suits a width of 768 or more."""
    tie_embeddings: bool = False
    """If true, the output projection is the token embedding (Press and Wolf 2017)."""

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> ModelConfig:
        if self.width % self.heads:
            fits = [h for h in range(1, self.width + 1) if self.width % h == 0]
            nearest = min(fits, key=lambda h: (abs(h - self.heads), h))
            raise ValueError(
                f"width = {self.width} cannot be divided among heads = {self.heads}; "
                f"heads must divide the width, the nearest that does is {nearest}"
            )
        return self


def parameter_count(config: ModelConfig, vocabulary: int) -> int:
    """The number of parameters; a tied matrix is counted once."""
    width = config.width
    embeddings = (vocabulary + config.context) * width
    head = 0 if config.tie_embeddings else vocabulary * width
    attention = 4 * width * width + width + (3 * width if config.qkv_bias else 0)
    feed_forward = 8 * width * width + 5 * width
    norm = width if config.norm == "rms" else 2 * width
    block = attention + feed_forward + 2 * norm
    return embeddings + head + config.layers * block + norm
