"""`[evaluation]` of a study file: what its models are measured by beside their test loss."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from model.config import Config, Count
from sweep.study.judge_names import JudgeName
from trainer.instructions.settings import InstructionSettings
from trainer.recipe_sections import OneLine


def _is_http(url: str) -> str:
    if not url.startswith(("http://", "https://")) or any(c.isspace() for c in url):
        raise ValueError(f"{url[:80]!r} must begin with http:// or https://")
    return url.rstrip("/")


class JudgeSettings(Config):
    """Who scores the answers, from 0 to 100. All fields but `kind` are for `openai`."""

    kind: JudgeName = "chrf"
    """`chrf`: similarity to the reference answer (chrF2). `exact`: 100 for an equal answer, else 0. `openai`: a model behind any OpenAI-compatible server."""
    model: OneLine | None = None
    """The model that scores, by the server's name for it."""
    base_url: Annotated[OneLine, AfterValidator(_is_http)] = "https://api.openai.com/v1"
    """The server; `/chat/completions` is added."""
    key_variable: OneLine = "OPENAI_API_KEY"
    """The environment variable with the server's key, which is never stored; `none` for no key."""
    repeats: Annotated[Count, Field(le=100)] = 2
    """How often each prompt is asked, each time with the answers in another order."""
    concurrency: Annotated[Count, Field(le=256)] = 4
    """Requests at the same time."""
    requests_per_minute: float | None = Field(default=None, ge=0.001)
    """Largest number of requests that begin in a minute; no limit if left out."""
    price_input: float | None = Field(default=None, ge=0)
    """Price of a million tokens of prompts, in dollars."""
    price_output: float | None = Field(default=None, ge=0)
    """Price of a million tokens of replies, in dollars."""
    budget: float | None = Field(default=None, gt=0)
    """Dollars that one command may spend; needs both prices."""
    timeout: float = Field(default=60.0, gt=0, le=3600)
    """Seconds to wait for a reply."""
    tries: Annotated[Count, Field(le=100)] = 5
    """How often a request is sent if the server is busy, fails or does not answer."""
    retry_seconds: float = Field(default=1.0, ge=0, le=60)
    """Seconds before a request is sent again; twice as long each further time."""


class InstructionEvaluation(InstructionSettings):
    """Instruction-following: each model is fine-tuned, answers test items, and is scored."""

    data: OneLine = Field(examples=["instruction-data.json"])
    """A JSON file: a list of objects with `instruction`, `input` and `output`. Relative to the study file."""
    judge: JudgeSettings | None = None
    """Who scores the answers: the fields of `[evaluation.instructions.judge]`; `chrf` if left out."""

    @property
    def scorer(self) -> JudgeSettings:
        """The settings of the judge."""
        return self.judge or JudgeSettings()

    @property
    def fine_tune(self) -> InstructionSettings:
        """The settings of the fine-tune alone."""
        names = InstructionSettings.model_fields
        return InstructionSettings(**{name: getattr(self, name) for name in names})


class Evaluation(Config):
    """Further evaluations of the final models."""

    instructions: InstructionEvaluation | None = None
    """How well models follow instructions: the fields of `[evaluation.instructions]`."""
