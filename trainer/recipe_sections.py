"""The sections of a recipe about training: optimiser, schedule, budget, evaluation.

Quick to import: does not import torch.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from model.config import Config, Count, Whole


def _parse_none(value: Any) -> Any:  # noqa: ANN401  (any TOML value)
    """Turn "none" into None. TOML has no null, so a study that removes clipping writes "none"."""
    return None if value == "none" else value


NoneWord = BeforeValidator(_parse_none)
"""Lets a field that may be None be written as "none"."""


def _one_line(text: str) -> str:
    if not text or len(text) > 4_096 or not text.isprintable():
        raise ValueError(f"{text[:40]!r} must be one line of printable text")
    return text


OneLine = Annotated[str, AfterValidator(_one_line)]


class OptimizerConfig(Config):
    """AdamW (Loshchilov and Hutter 2019)."""

    learning_rate: float = Field(default=4e-4, gt=0, le=1e3)
    """The peak learning rate."""
    weight_decay: float = Field(default=0.1, ge=0, le=1e3)
    """Decoupled weight decay, multiplied by the learning rate at each step."""
    decay: Literal["all", "matrices"] = "all"
    """Parameters that decay: `all`, or only `matrices` (two or more dimensions)."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """Decay of the running mean of gradients."""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """Decay of the running mean of squared gradients."""
    epsilon: float = Field(default=1e-8, gt=0)
    """Added to the denominator of the update."""
    clip_norm: Annotated[Annotated[float, Field(gt=0)] | None, NoneWord] = None
    """Maximum norm of the whole gradient, which is clipped to it; `none` for no clipping."""


class ScheduleConfig(Config):
    """The learning rate at each step, as a factor of `optimizer.learning_rate`."""

    kind: Literal["constant", "cosine"] = "constant"
    """After the warm-up: hold the peak, or follow half a cosine down to `final_factor`."""
    warmup: float = Field(default=0.0, ge=0, lt=1)
    """Fraction of the steps over which the rate rises linearly to its peak."""
    warmup_factor: float = Field(default=1e-5, gt=0, le=1)
    """The rate at the start of the warm-up, as a factor of the peak."""
    final_factor: float = Field(default=0.1, ge=0, le=1)
    """The rate at the end of the cosine, as a factor of the peak."""

    @model_validator(mode="after")
    def _every_field_has_an_effect(self) -> ScheduleConfig:
        if self.kind == "constant" and "final_factor" in self.model_fields_set:
            raise ValueError(
                'final_factor has no effect with kind = "constant"; '
                'leave it out, or set kind = "cosine"'
            )
        if self.warmup == 0 and "warmup_factor" in self.model_fields_set:
            raise ValueError(
                "warmup_factor has no effect without a warm-up; leave it out, or set warmup above 0"
            )
        return self


class TrainConfig(Config):
    """The token budget, batch size, precision and initial weights."""

    tokens: Count = 3_260_252_160
    """Training tokens, rounded down to whole steps."""
    batch_size: Count = 96
    """Sequences of `model.context` tokens per optimiser step."""
    precision: Literal["float32", "tf32", "bfloat16", "float16"] = "float32"
    """`float32`, `tf32` (matrix products in TensorFloat-32), or autocast of the forward pass."""
    initial_weights: Annotated[OneLine | None, NoneWord] = None
    """A folder with weights to start from: a GPT-2 from Hugging Face or a run; `none` for random ones."""


class EvaluationConfig(Config):
    """The test loss: the mean over fixed chunks of the test split."""

    chunks: Count = 3_200
    """Number of chunks of test text; the loss of each is stored."""
    chunk_tokens: Count = 6_144
    """Tokens per chunk: a multiple of `model.context`."""
    start_token: Annotated[int, Whole] = Field(default=0, ge=0, le=2**62)
    """The position in the test split at which the first chunk begins."""
