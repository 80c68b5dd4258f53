"""The configuration of the network. Quick to import: does not import torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def _whole(value: Any) -> Any:  # noqa: ANN401  (any TOML value)
    """Turn `4.0` into the integer 4; leave all other values for pydantic to check."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = BeforeValidator(_whole)
"""Lets an integer be written with a decimal point: `4.0` or `1e6`."""

Count = Annotated[int, Whole, Field(ge=1, le=2**62)]
"""An integer of at least 1."""

Size = Annotated[int, Whole, Field(ge=1, le=2**20)]
"""One dimension of the network; the upper bound catches typing errors."""


class Config(BaseModel):
    """Base of all configurations: frozen, strict about types, refuses unknown fields."""

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
    """Dropout rate after the embedding, on attention weights and at the end of each residual branch."""
    qkv_bias: bool = False
    """If true, the query, key and value projections have a bias, as in OpenAI's GPT-2."""
    norm: Literal["layer", "rms"] = "layer"
    """`layer`: LayerNorm (Ba et al. 2016). `rms`: RMSNorm, without mean or bias (Zhang 2019)."""
    init_std: float = Field(default=0.02, gt=0, le=10)
    """Standard deviation of the initial matrices; the default, GPT-2's, suits a width of 768 or more."""
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
