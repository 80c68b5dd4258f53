"""Everything that determines a test loss, and nothing else. Light to import: no torch here."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from model.config import Config, Count, ModelConfig, Whole, parameter_count

METRIC_VERSION = 1
"""Raised whenever the same weights would be given another test loss."""

Seed = Annotated[int, Whole, Field(ge=0, lt=2**63)]


def _none_in_words(value: Any) -> Any:  # noqa: ANN401  (whatever a study file may hold)
    """TOML has no null: an intervention that takes clipping away writes "none"."""
    return None if value == "none" else value


class DataConfig(Config):
    """The text that is read, and in which order."""

    corpus: Literal["python-stdlib"] = "python-stdlib"
    """`python-stdlib`: the source of Python's own standard library, on every machine there is."""
    tokenizer: Literal["bytes", "gpt2"] = "bytes"
    """`bytes`: UTF-8, vocabulary 257. `gpt2`: GPT-2's byte-pair encoding, vocabulary 50257."""
    order: Literal["shuffled", "sequential"] = "shuffled"
    """`shuffled`: without replacement within an epoch. `sequential`: as the corpus has it."""


class OptimizerConfig(Config):
    """AdamW (Loshchilov and Hutter 2019)."""

    learning_rate: float = Field(default=4e-4, gt=0, le=1e3)
    """The peak learning rate."""
    weight_decay: float = Field(default=0.1, ge=0, le=1e3)
    """Decoupled decay, multiplied by the learning rate at each step."""
    decay: Literal["all", "matrices"] = "all"
    """What decays: every parameter, or those with two dimensions only."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """Decay of the running mean of gradients."""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """Decay of the running mean of squared gradients."""
    epsilon: float = Field(default=1e-8, gt=0)
    """Added to the denominator."""
    clip_norm: Annotated[Annotated[float, Field(gt=0)] | None, BeforeValidator(_none_in_words)] = (
        None
    )
    """Largest norm of the whole gradient; `none`, or left out, for no clipping."""


class ScheduleConfig(Config):
    """The learning rate over the steps, as a factor of `optimizer.learning_rate`."""

    kind: Literal["constant", "cosine"] = "constant"
    """What follows the warm-up: the peak held, or half a cosine down to `final_factor`."""
    warmup: float = Field(default=0.0, ge=0, lt=1)
    """Fraction of the steps over which the rate rises linearly to its peak."""
    warmup_factor: float = Field(default=1e-5, gt=0, le=1)
    """Where the warm-up starts, as a factor of the peak."""
    final_factor: float = Field(default=0.1, ge=0, le=1)
    """Where the cosine ends, as a factor of the peak."""

    @model_validator(mode="after")
    def _says_nothing_idle(self) -> ScheduleConfig:
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
    """The budget, and how it is spent."""

    tokens: Count = 3_260_252_160
    """Training tokens; as many whole steps are taken as fit."""
    batch_size: Count = 96
    """Sequences of `model.context` tokens per optimiser step."""
    precision: Literal["float32", "tf32", "bfloat16", "float16"] = "float32"
    """`float32`, its products rounded as GPUs do for `tf32`, or autocast of the forward pass."""


class EvaluationConfig(Config):
    """The test loss: the mean over fixed chunks of the test split."""

    chunks: Count = 3_200
    """Pieces of test text, whose losses are stored one by one."""
    chunk_tokens: Count = 6_144
    """Tokens per chunk: a multiple of `model.context`."""
    start_token: Annotated[int, Whole] = Field(default=0, ge=0, le=2**62)
    """Where in the test split the first chunk begins."""


class Seeds(Config):
    """The three named streams of random numbers."""

    init: Seed
    """Initial weights."""
    order: Seed
    """Which sequences are read at which step."""
    dropout: Seed
    """Which units are dropped."""


class Recipe(Config):
    """One training run. On one machine, with one micro-batch, it always ends with one test loss."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    train: TrainConfig = TrainConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    seeds: Seeds

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Recipe:
        if self.train.tokens < self.tokens_per_step:
            raise ValueError(
                f"train.tokens = {self.train.tokens} is less than one step of "
                f"train.batch_size x model.context = {self.tokens_per_step} tokens"
            )
        if self.schedule.warmup > 0 and self.warmup_steps == 0:
            raise ValueError(
                f"schedule.warmup = {self.schedule.warmup:g} of {self.steps} steps rounds to no "
                f"step at all; use at least {1 / self.steps:.2g}, or 0 for no warm-up"
            )
        if self.evaluation.chunk_tokens % self.model.context:
            nearest = max(1, round(self.evaluation.chunk_tokens / self.model.context))
            raise ValueError(
                f"evaluation.chunk_tokens = {self.evaluation.chunk_tokens} is not a multiple of "
                f"model.context = {self.model.context}; the nearest that is: "
                f"{nearest * self.model.context}"
            )
        return self

    @property
    def tokens_per_step(self) -> int:
        """Tokens that one optimiser step learns from."""
        return self.train.batch_size * self.model.context

    @property
    def steps(self) -> int:
        """Whole optimiser steps that fit into the budget of tokens."""
        return self.train.tokens // self.tokens_per_step

    @property
    def warmup_steps(self) -> int:
        """Steps before the learning rate is at its peak."""
        return round(self.schedule.warmup * self.steps)

    @property
    def flops(self) -> float:
        """Floating-point operations of training, by the 6ND rule (Kaplan et al. 2020, sec. 2.1).

        N counts the parameters used in matrix products, D the tokens; attention scores are added.
        """
        vocabulary = VOCABULARY[self.data.tokenizer]
        shape = self.model
        in_products = (
            parameter_count(shape, vocabulary)
            - (vocabulary * (0 if shape.tie_embeddings else 1) + shape.context) * shape.width
        )
        per_token = 6 * in_products + 6 * shape.layers * shape.width * shape.context
        return float(per_token) * self.steps * self.tokens_per_step

    def canonical(self) -> str:
        """JSON of the fields that differ from their defaults, so that a new field orphans no run."""
        fields = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(fields, sort_keys=True, separators=(",", ":"))

    def fingerprint(self, corpus_hash: str) -> str:
        """SHA-256 of all that determines the test loss: same fingerprint, same run."""
        identity = {
            "recipe": json.loads(self.canonical()),
            "corpus": corpus_hash,
            "metric": METRIC_VERSION,
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


VOCABULARY = {"bytes": 257, "gpt2": 50_257}
"""Token ids of each tokenizer, the end-of-text token included."""


def learning_rate(recipe: Recipe, step: int) -> float:
    """The learning rate of a step (from 0): linear warm-up, then constant or half a cosine.

    Equal to torch's LinearLR followed by CosineAnnealingLR in a SequentialLR.
    """
    schedule, peak = recipe.schedule, recipe.optimizer.learning_rate
    warmup = recipe.warmup_steps
    if step < warmup:
        return peak * (schedule.warmup_factor + (1 - schedule.warmup_factor) * step / warmup)
    if schedule.kind == "constant":
        return peak
    progress = (step - warmup) / (recipe.steps - warmup)
    final = schedule.final_factor
    return peak * (final + (1 - final) * (1 + math.cos(math.pi * progress)) / 2)
