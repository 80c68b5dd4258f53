"""The recipe: every setting that determines a run's test loss, and no other.

Quick to import: does not import torch.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Annotated, Any, Literal, NoReturn

from pydantic import AfterValidator, Field, model_validator

from model.config import Config, Count, ModelConfig, NoneWord, Whole
from model.size import flops_per_token
from trainer.mixture_shares import Mixture
from trainer.recipe_sections import (
    EvaluationConfig,
    OneLine,
    OptimizerConfig,
    ScheduleConfig,
    TrainConfig,
)
from trainer.recipe_steps import StepCounts
from trainer.tokenizer_names import MAX_VOCABULARY, parse_name
from trainer.words import counted

METRIC_VERSION = 1
"""Increased when a change of the code gives the same weights another test loss."""

Seed = Annotated[int, Whole, Field(ge=0, lt=2**63)]


def vocabulary_size(tokenizer: str) -> int:
    """Number of token ids of a tokenizer, including end-of-text. Raises ValueError for other names."""
    if tokenizer in VOCABULARY:
        return VOCABULARY[tokenizer]
    if named := parse_name(tokenizer):
        return named.vocabulary
    smallest = VOCABULARY["bytes"] + 1
    name, _, number = tokenizer.partition("-")
    if name != "bpe" or not re.fullmatch(r"[1-9][0-9]{0,8}", number):
        raise ValueError(
            f"{tokenizer[:40]!r} is not a tokenizer; use bytes, gpt2, bpe-N for a vocabulary of N "
            "tokens that is made from the corpus, such as bpe-4096, or in a study file the path of a "
            "tokenizer.json"
        )
    if not smallest <= int(number) <= MAX_VOCABULARY:
        raise ValueError(
            f"{tokenizer!r}: a vocabulary has {smallest} to {MAX_VOCABULARY} tokens, including "
            "256 bytes and the end-of-text token"
        )
    return int(number)


VOCABULARY = {"bytes": 257, "gpt2": 50_257}
"""Vocabulary sizes of the tokenizers that do not depend on a corpus."""


def _check_tokenizer(name: str) -> str:
    vocabulary_size(name)
    return name


class DataConfig(Config):
    """The text to train on, its tokenizer and its order."""

    corpus: OneLine = "python-stdlib"
    """`python-stdlib`, a .txt, .jsonl or .parquet file or a folder of them, or OWNER/NAME on the hub."""
    pattern: Annotated[OneLine | None, NoneWord] = None
    """Which files of a folder are read, such as `*.md` or `src/**/*.py`; `none` for those of one known kind."""
    subset: Annotated[OneLine | None, NoneWord] = None
    """The configuration of a dataset on the hub, such as `sample-10BT`; `none` for its default."""
    revision: Annotated[OneLine | None, NoneWord] = None
    """The commit, tag or branch of a dataset on the hub; `none` for the newest at first use."""
    text_column: OneLine = "text"
    """The column of .jsonl, .parquet and datasets that holds the text; `meta.text` for a field of objects."""
    separator: Annotated[OneLine | None, NoneWord] = None
    """What separates the documents of plain text, such as `<|endoftext|>`; `none` for one document a file."""
    test_share: float = Field(default=0.1, gt=0, lt=1)
    """The share of documents held out for testing, if the corpus has no test split of its own."""
    max_tokens: Annotated[Count | None, NoneWord] = None
    """Stop reading the corpus after this many training tokens; `none` for all of it."""
    tokenizer: Annotated[str, AfterValidator(_check_tokenizer)] = "bytes"
    """`bytes`, `gpt2`, `bpe-N` (N tokens, made from the training text) or the path of a tokenizer.json."""
    order: Literal["shuffled", "sequential"] = "shuffled"
    """`shuffled`: without replacement within an epoch. `sequential`: in the order of the corpus."""
    mixture: Annotated[Mixture | None, NoneWord] = None
    """Corpora to train on and their shares of the sequences, such as `{ "python-stdlib" = 0.7, "notes.txt" =
    0.3 }`; the test text is that of `data.corpus`. `none` to train on `data.corpus`."""
    mask_documents: bool = False
    """If true, attention does not cross the end-of-text token between two documents, in training and in
    evaluation; positions are not counted anew (Llama 3: Grattafiori et al. 2024, section 3.2)."""

    @model_validator(mode="after")
    def _a_mixture_shares_a_tokenizer(self) -> DataConfig:
        others = {name for name, _ in self.mixture or ()} - {self.corpus}
        if others and self.tokenizer.startswith("bpe-"):
            raise ValueError(
                f"tokenizer = {self.tokenizer!r} is made from one corpus, and a mixture needs one "
                "tokenizer for all: use bytes or gpt2, or prepare one of the corpora alone and name "
                "the tokenizer.json in its folder below runs/cache"
            )
        return self


class Seeds(Config):
    """The seeds of the three random streams."""

    init: Seed
    """Initial weights."""
    order: Seed
    """The order of the training sequences."""
    dropout: Seed
    """Dropout masks."""


class SeedlessRecipe(Config):
    """A recipe without its seeds."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    train: TrainConfig = TrainConfig()
    evaluation: EvaluationConfig = EvaluationConfig()


class Recipe(SeedlessRecipe, StepCounts):
    """One training run: with the same machine and micro-batch, its test loss is always the same."""

    seeds: Seeds

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Recipe:
        if self.train.tokens < self.tokens_per_step:
            raise ValueError(
                f"train.tokens = {self.train.tokens} is less than one step of "
                f"train.batch_size x model.context = {self.tokens_per_step} tokens"
            )
        self._check_schedule()
        self._check_first_context()
        self._check_multi_token()
        self._check_average()
        if self.model.tie_embeddings and self.optimizer.head_learning_rate is not None:
            raise ValueError(
                "optimizer.head_learning_rate has no effect with model.tie_embeddings = true, where the "
                "head is the token embedding; set optimizer.embedding_learning_rate instead"
            )
        if self.evaluation.chunk_tokens % self.model.context:
            nearest = max(1, round(self.evaluation.chunk_tokens / self.model.context))
            raise ValueError(
                f"evaluation.chunk_tokens = {self.evaluation.chunk_tokens} is not a multiple of "
                f"model.context = {self.model.context}; the nearest that is: "
                f"{nearest * self.model.context}"
            )
        return self

    def _check_schedule(self) -> None:
        if self.schedule.warmup > 0 and self.warmup_steps == 0:
            self._refuse_no_step("schedule.warmup", self.schedule.warmup, "0 for no warm-up")
        if self.schedule.kind == "wsd" and self.cooldown_steps == 0:
            cooldown = self.schedule.cooldown
            self._refuse_no_step("schedule.cooldown", cooldown, "another schedule.kind")
        if self._ramp and min(self._ramp) == self.train.batch_size:
            raise ValueError(
                f"schedule.batch_warmup has no effect: {self.schedule.batch_warmup_factor:g} of "
                f"train.batch_size = {self.train.batch_size} rounds to the whole batch; leave it out, or "
                "use larger batches or a smaller schedule.batch_warmup_factor"
            )

    def _check_average(self) -> None:
        last = self.evaluation.average_last
        if last > 0 and self.averaged_steps == 0:
            self._refuse_no_step("evaluation.average_last", last, "0 for the last weights")
        if last > 0 and self.train.ema is not None:
            raise ValueError(
                "train.ema and evaluation.average_last are two averages of the weights, and one is "
                'evaluated; set train.ema = "none" or evaluation.average_last = 0'
            )

    def _refuse_no_step(self, field: str, share: float, otherwise: str) -> NoReturn:
        raise ValueError(
            f"{field} = {share:g} of {counted(self.steps, 'step')} rounds to no step at all; "
            f"use at least {1 / self.steps:.2g}, or {otherwise}"
        )

    def _check_first_context(self) -> None:
        first, context = self.train.first_context, self.model.context
        if first is None:
            return
        allowed = [context >> k for k in range(1, context.bit_length()) if not context % (1 << k)]
        if first not in allowed:
            raise ValueError(
                f"train.first_context = {first} does not double to model.context = {context}; "
                + (f"use one of {', '.join(map(str, allowed))}" if allowed else "leave it out")
            )
        if self.context_warmup_steps < (stages := (context // first).bit_length() - 1):
            raise ValueError(
                f"train.context_warmup = {self.train.context_warmup:g} of {counted(self.steps, 'step')} is "
                f"less than {counted(stages, 'step')}, one for each length below {context}; use a larger "
                "train.first_context or train.context_warmup"
            )

    def _check_multi_token(self) -> None:
        first = self.train.first_context
        field = "model.context" if first is None else "train.first_context"
        shortest = self.model.context if first is None else first
        if self.train.multi_token > shortest:
            raise ValueError(
                f"train.multi_token = {self.train.multi_token} is more than {field} = {shortest}: no "
                f"sequence has a token so far ahead; use at most {shortest}"
            )

    @property
    def flops(self) -> float:
        """Floating-point operations of training; see `flops_per_token`."""
        vocabulary, heads = vocabulary_size(self.data.tokenizer), self.train.multi_token
        shape = self.model
        return sum(
            float(flops_per_token(shape.model_copy(update={"context": length}), vocabulary, heads))
            * tokens
            for length, tokens in self.tokens_by_context().items()
        )

    def canonical(self) -> str:
        """JSON of the fields that differ from their defaults: a new field changes no old recipe."""
        return json.dumps(self._fields(), sort_keys=True, separators=(",", ":"))

    def identity(self) -> dict[str, Any]:
        """The canonical fields without those that say where an input is.

        A hash of its content identifies an input, so that a corpus may be moved.
        """
        fields = self._fields()
        for section, locations in INPUT_LOCATIONS.items():
            kept = {k: v for k, v in fields.pop(section, {}).items() if k not in locations}
            fields |= {section: kept} if kept else {}
        return fields

    def _fields(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_defaults=True)

    def fingerprint(self, corpus_hash: str, weights_hash: str | None = None) -> str:
        """SHA-256 of everything that determines the test loss; identifies a run.

        `weights_hash` is the hash of the initial weights; None if they are random.
        """
        identity = {"recipe": self.identity(), "corpus": corpus_hash, "metric": METRIC_VERSION}
        if weights_hash is not None:
            identity["weights"] = weights_hash
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def family(self, corpus_hash: str, weights_hash: str | None = None) -> str:
        """SHA-256 of everything that determines the test loss except seeds; identifies an arm."""
        fields = {key: value for key, value in self.identity().items() if key != "seeds"}
        parts = [json.dumps(fields, sort_keys=True), corpus_hash, str(METRIC_VERSION)]
        parts += [weights_hash] if weights_hash is not None else []
        return hashlib.sha256("/".join(parts).encode()).hexdigest()


INPUT_LOCATIONS = {
    "data": {
        "corpus",
        "pattern",
        "subset",
        "revision",
        "text_column",
        "separator",
        "test_share",
        "max_tokens",
        "mixture",
    },
    "train": {"initial_weights"},
}
"""Fields that say where an input is. A hash of the content identifies the input instead."""
