"""The sections of a recipe about training: optimiser, schedule, budget, evaluation.

Quick to import: does not import torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from model.config import Config, Count, NoneWord, Size, Whole


def _one_line(text: str) -> str:
    if not text or len(text) > 4_096 or not text.isprintable():
        raise ValueError(f"{text[:40]!r} must be one line of printable text")
    return text


OneLine = Annotated[str, AfterValidator(_one_line)]


def refuse_idle(section: Config, circumstance: str, remedy: str, *fields: str) -> None:
    """Raise ValueError if one of `fields`, which have no effect here, is set to another value than its default.

    The default itself is allowed, so that an arm can take back what its baseline sets.
    """
    for field in fields:
        if getattr(section, field) != type(section).model_fields[field].default:
            raise ValueError(f"{field} has no effect {circumstance}; leave it out, or {remedy}")


ParameterKind = Literal["matrix", "embedding", "head", "scalar"]
"""What a parameter is to an optimiser; biases, norms and single numbers are scalars."""
PARAMETER_KINDS: tuple[ParameterKind, ...] = get_args(ParameterKind)

Rate = Annotated[float, Field(gt=0, le=1e3)]
OwnRate = Annotated[Rate | None, NoneWord]


class OptimizerConfig(Config):
    """The optimiser; by default AdamW (Loshchilov and Hutter 2019)."""

    kind: Literal["adamw", "muon", "lion", "sgd", "adafactor"] = "adamw"
    """`adamw`; `muon` for hidden matrices and AdamW for the rest (Jordan et al. 2024); `lion` (Chen et
    al. 2023); `sgd` with momentum; `adafactor` (Shazeer and Stern 2018)."""
    learning_rate: Rate = 4e-4
    """The peak learning rate; in Adafactor an upper bound of its relative step, 1 / sqrt(step)."""
    embedding_learning_rate: OwnRate = None
    """The peak for token and position embeddings; `none` for `learning_rate`."""
    head_learning_rate: OwnRate = None
    """The peak for the output projection; `none` for `learning_rate`."""
    scalar_learning_rate: OwnRate = None
    """The peak for biases, norms and single numbers; `none` for `learning_rate`."""
    weight_decay: float = Field(default=0.1, ge=0, le=1e3)
    """Decoupled weight decay, multiplied by the learning rate at each step."""
    decay: Literal["all", "matrices"] = "all"
    """Parameters that decay: `all`, or only `matrices` (two or more dimensions)."""
    cautious_decay: bool = False
    """If true, a number decays only where its update does not point away from zero (Chen et al. 2025)."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """Decay of the running mean of gradients, in AdamW and Lion."""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """Decay of the running mean of squared gradients in AdamW, of gradients in Lion (there often 0.99)."""
    epsilon: float = Field(default=1e-8, gt=0)
    """Added to the denominator of AdamW's update."""
    momentum: float = Field(default=0.95, ge=0, lt=1)
    """The momentum of Muon (Nesterov's) and SGD (heavy ball)."""
    muon_scale: Literal["match_rms_adamw", "original"] = "match_rms_adamw"
    """The size of Muon's update: as large as AdamW's, so that its learning rate and decay fit (Liu et al.
    2025); or sqrt(max(1, rows / columns)) times an orthogonal matrix."""
    clip_norm: Annotated[Annotated[float, Field(gt=0)] | None, NoneWord] = None
    """Maximum norm of the whole gradient, which is clipped to it; `none` for no clipping."""

    @model_validator(mode="after")
    def _every_field_has_an_effect(self) -> OptimizerConfig:
        for field, kinds in _USED_BY.items():
            if self.kind not in kinds:
                *others, last = (f'"{kind}"' for kind in kinds)
                remedy = "set kind = " + " or ".join(
                    [", ".join(others), last] if others else [last]
                )
                refuse_idle(self, f'with kind = "{self.kind}"', remedy, field)
        if self.weight_decay == 0:
            refuse_idle(self, "without weight decay", "set weight_decay above 0", "cautious_decay")
        return self

    def learning_rate_of(self, kind: ParameterKind) -> float:
        """The peak learning rate of one kind of parameters."""
        own = {
            "embedding": self.embedding_learning_rate,
            "head": self.head_learning_rate,
            "scalar": self.scalar_learning_rate,
        }.get(kind)
        return self.learning_rate if own is None else own

    @property
    def tells_kinds_apart(self) -> bool:
        """True if some kinds of parameters are updated unlike others, apart from their decay."""
        rates = {self.learning_rate_of(kind) for kind in PARAMETER_KINDS}
        return self.kind == "muon" or len(rates) > 1


_USED_BY: Mapping[str, tuple[str, ...]] = {
    "beta1": ("adamw", "lion", "muon"),
    "beta2": ("adamw", "lion", "muon"),
    "epsilon": ("adamw", "muon"),
    "momentum": ("muon", "sgd"),
    "muon_scale": ("muon",),
}
"""Fields that only some kinds of optimiser have, and these."""


class ScheduleConfig(Config):
    """The learning rate at each step, as a factor of `optimizer.learning_rate`."""

    kind: Literal["constant", "cosine", "linear", "wsd"] = "constant"
    """After the warm-up: hold the peak; fall to `final_factor` along half a cosine or a line; or hold
    the peak, then fall during `cooldown` (warm-up, stable, decay: Hu et al. 2024, MiniCPM)."""
    warmup: float = Field(default=0.0, ge=0, lt=1)
    """Fraction of the steps over which the rate rises linearly to its peak."""
    warmup_factor: float = Field(default=1e-5, gt=0, le=1)
    """The rate at the start of the warm-up, as a factor of the peak."""
    final_factor: float = Field(default=0.1, ge=0, le=1)
    """The rate at the end of a cosine, linear or wsd schedule, as a factor of the peak."""
    cooldown: float = Field(default=0.2, gt=0, le=1)
    """Fraction of the steps at the end of a wsd schedule over which the rate falls."""
    cooldown_shape: Literal["linear", "1-sqrt"] = "linear"
    """How the rate falls in a wsd schedule: along a line, or as 1 - sqrt(x) (Hägele et al. 2024)."""

    batch_warmup: float = Field(default=0.0, ge=0, lt=1)
    """Fraction of the tokens over which the batch grows linearly to `train.batch_size`, in more and
    smaller steps on the same text (Brown et al. 2020)."""
    batch_warmup_factor: float = Field(default=0.125, gt=0, lt=1)
    """The first batch, as a factor of `train.batch_size`."""

    @model_validator(mode="after")
    def _every_field_has_an_effect(self) -> ScheduleConfig:
        if self.batch_warmup == 0:
            remedy = "set batch_warmup above 0"
            refuse_idle(self, "without a batch warm-up", remedy, "batch_warmup_factor")
        if self.kind == "constant":
            refuse_idle(self, 'with kind = "constant"', 'set kind = "cosine"', "final_factor")
        if self.kind != "wsd":
            remedy = 'set kind = "wsd"'
            refuse_idle(self, f'with kind = "{self.kind}"', remedy, "cooldown", "cooldown_shape")
        if self.warmup == 0:
            refuse_idle(self, "without a warm-up", "set warmup above 0", "warmup_factor")
        if self.kind == "wsd" and self.warmup + self.cooldown > 1 + 1e-9:
            raise ValueError(
                f"warmup = {self.warmup:g} and cooldown = {self.cooldown:g} are more than all steps; "
                f"use a cooldown of at most {1 - self.warmup:g}"
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
    """Weights to start from: a GPT-2 from Hugging Face, an exported model, a run, nanoGPT's checkpoint or
    a model of Raschka's book; `none` for random ones."""
    z_loss: float = Field(default=0.0, ge=0, le=1)
    """Factor of log(Z)^2 in the training loss, where Z is the denominator of the softmax, often 1e-4
    (Chowdhery et al. 2022, PaLM); losses are reported without it."""
    multi_token: Size = 1
    """Next tokens that training predicts at each position, each but the first by a block of its own that
    is dropped afterwards (Gloeckle et al. 2024); losses are reported for the first alone."""
    first_context: Annotated[Size | None, NoneWord] = None
    """Tokens per sequence at first, which double up to `model.context` in equal stages: each sequence is
    cut into shorter ones, of the same text (Li et al. 2022); `none` for whole sequences."""
    context_warmup: float = Field(default=0.5, gt=0, lt=1)
    """Fraction of the steps until sequences are whole, with `first_context`."""
    ema: Annotated[Annotated[float, Field(gt=0, lt=1)] | None, NoneWord] = None
    """Evaluate and keep the exponential moving average of the weights, with this decay per step, such as
    0.999 (Polyak and Juditsky 1992); `none` for the weights after the last step."""

    @model_validator(mode="after")
    def _every_field_has_an_effect(self) -> TrainConfig:
        if self.first_context is None:
            refuse_idle(self, "without first_context", "set first_context", "context_warmup")
        return self


class EvaluationConfig(Config):
    """The test loss: the mean over fixed chunks of the test split."""

    chunks: Count = 3_200
    """Number of chunks of test text; the loss of each is stored."""
    chunk_tokens: Count = 6_144
    """Tokens per chunk: a multiple of `model.context`."""
    start_token: Annotated[int, Whole] = Field(default=0, ge=0, le=2**62)
    """The position in the test split at which the first chunk begins."""
    average_last: float = Field(default=0.0, ge=0, le=1)
    """Evaluate and keep the mean of the weights after each step of this last fraction of the steps, such
    as 0.2 (latest weight averaging: Kaddour 2022); 0 for the weights after the last step."""
