"""The study file: question, baseline, interventions, seeds, and rules of the verdicts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    model_validator,
)

from analysis.multiplicity import CorrectionName
from model.config import Config, Whole
from sweep.study.explain import explain
from sweep.study.field_names import suggest
from sweep.study.mistakes import InvalidStudyError, Lines, Mistake
from sweep.study.reading import read_study_text
from sweep.study.tokenizer_paths import name_tokenizers
from sweep.terminal.printable import shown
from trainer.execution import Execution, RunSettings
from trainer.recipe import Recipe, Seed, SeedlessRecipe, Seeds
from trainer.recipe_forms import RECIPE_FIELDS, to_dotted, with_fields

BASELINE = "baseline"
"""Name of the arm that all others are compared with."""

STREAMS = ("init", "order", "dropout")
"""Streams of random numbers: initial weights, order of the data, dropout."""
STREAM_COLUMNS = tuple(f"{name}_seed" for name in STREAMS)
MAX_NAME_LENGTH = 64


def check_name(name: str) -> str:
    """Refuse names that are unsafe as a path, in a terminal or in HTML. Raises ValueError."""
    if not re.fullmatch(r"\w[\w.+-]*", name) or len(name) > MAX_NAME_LENGTH:
        raise ValueError(
            f"{shown(name)} is not a name; names are letters, digits, '-', '_', '.' and '+', "
            f"begin with a letter or digit, and have at most {MAX_NAME_LENGTH} characters"
        )
    return name


Name = Annotated[str, AfterValidator(check_name)]
Reason = Annotated[str, StringConstraints(min_length=1)]


class Baseline(SeedlessRecipe):
    """The recipe that interventions change; its seeds come from the design."""


class Intervention(Config):
    """A named set of recipe fields, with a reason."""

    because: Reason = Field(examples=["Why it is expected to help."])
    """Why it is expected to help."""
    set: dict[str, Any] = Field(min_length=1, examples=[{"model.dropout": 0.0}])
    """Recipe fields and their values: `"model.dropout" = 0.0`."""


class Stack(Config):
    """Several interventions in one arm."""

    combine: list[Name] = Field(min_length=2, examples=[["one", "another"]])
    """Names of interventions; they must not set a field to different values."""


class Design(Config):
    """The arms to run, and their seeds."""

    kind: str = "one-at-a-time"
    """A name in `sweep.design.arms.DESIGNS`. `one-at-a-time`: the baseline, each intervention
    alone, and the named stacks."""
    seeds: list[Seed] | Annotated[int, Whole, Field(ge=1, le=10_000)] = Field(examples=[5])
    """A number n for the seeds 1 to n, or a list of seeds."""
    vary: list[Literal["init", "order", "dropout"]] = Field(
        default=["init", "order", "dropout"], min_length=1
    )
    """Streams of random numbers that a seed sets."""
    hold: Seed = 0
    """Seed of the streams that do not vary."""

    @model_validator(mode="after")
    def _seeds_are_distinct(self) -> Design:
        if isinstance(self.seeds, list):
            if not self.seeds:
                raise ValueError("seeds is empty; give at least one seed, or a number of seeds")
            repeated = sorted(seed for seed, times in Counter(self.seeds).items() if times > 1)
            if repeated:
                raise ValueError(
                    f"seed {repeated[0]} is repeated; a run is not evidence twice, so name it once"
                )
        return self

    def seed_list(self) -> list[int]:
        """The seeds, in the order in which they are run."""
        return self.seeds if isinstance(self.seeds, list) else list(range(1, self.seeds + 1))

    def streams(self, seed: int) -> Seeds:
        """The seeds of the three streams for one seed of the study."""
        return Seeds(**{name: seed if name in self.vary else self.hold for name in STREAMS})


class Jobs(RunSettings):
    """How runs are executed; nothing here changes a result."""

    gpus_per_run: Annotated[int, Whole, Field(ge=1, le=1024)] = 1
    """GPUs per run, each training a part of every batch; processes if there is no GPU."""
    retries: int = Field(default=2, ge=0, le=100)
    """Times that a failed run is started again, from its last checkpoint."""
    retry_seconds: float = Field(default=2.0, ge=0, le=3600)
    """Seconds before a failed run is started again; four times as long each further time."""
    stall_timeout: float = Field(default=1800.0, ge=1)
    """Seconds without a step or a piece of the evaluation after which a run counts as hung."""
    timeout: float | None = Field(default=None, ge=1)
    """Seconds that one attempt may take; `none` for no limit."""
    stop_seconds: float = Field(default=60.0, gt=0)
    """Seconds that a stopping run has for its step and checkpoint before it is killed."""

    def execution(self) -> Execution:
        """The settings of each run."""
        settings = {name: getattr(self, name) for name in RunSettings.model_fields}
        return Execution(processes=self.gpus_per_run, **settings)


class Analysis(Config):
    """The rules of the verdicts; fixed before the first run."""

    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """Largest probability of calling any intervention real if none is."""
    correction: CorrectionName = "holm"
    """Adjustment of p-values for the number of interventions; see `analysis.multiplicity`."""
    smallest_effect: float = Field(gt=0, examples=[0.005])
    """Nats per token; smaller effects do not matter."""
    margin: float | None = Field(default=None, gt=0, examples=[0.005])
    """Nats per token; arms are also tested for an improvement by at least this much."""
    target: float | None = Field(default=None, examples=[3.28])
    """Nats per token; the mean loss of every arm is tested for being below it."""
    exchange: list[Annotated[float, Field(ge=0.1, le=10)]] = Field(default=[], max_length=8)
    """Budgets, as factors of the baseline's tokens: `[0.8, 1.25]` trains the baseline with these
    too, as arms that are no questions, and gives effects in tokens."""

    @model_validator(mode="after")
    def _budgets_are_distinct(self) -> Analysis:
        repeated = [each for each, times in Counter(self.exchange).items() if times > 1]
        if repeated:
            raise ValueError(f"exchange has {repeated[0]:g} twice; name it once")
        if 1.0 in self.exchange:
            raise ValueError("exchange has 1, which is the baseline itself; leave it out")
        return self

    def content(self) -> dict[str, Any]:
        """JSON values, as a plan has them."""
        return without_unset(self.model_dump(mode="json"))


UNSET: Mapping[str, object] = {"margin": None, "target": None, "exchange": []}
"""Settings of the analysis that plans did not always have, as they are if they are not set."""


def without_unset(analysis: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of an analysis without those of `UNSET` that are not set: plans keep their hashes."""
    return {key: value for key, value in analysis.items() if UNSET.get(key, ...) != value}


def budget_arm(factor: float) -> str:
    """Name of the arm that trains the baseline with `factor` times its tokens: `tokens-x0.8`."""
    return f"tokens-x{factor:g}"


class Study(Config):
    """A whole study file."""

    name: Name = Field(examples=["my-study"])
    question: str = ""
    baseline: Baseline = Baseline()
    interventions: dict[Name, Intervention] = Field(min_length=1, examples=["no-dropout"])
    stacks: dict[Name, Stack] = Field(default={})
    design: Design
    jobs: Jobs = Jobs()
    analysis: Analysis
    _tokenizers: dict[str, bytes] = PrivateAttr(default_factory=dict)

    @property
    def tokenizers(self) -> Mapping[str, bytes]:
        """The `tokenizer.json` of each tokenizer whose path the file names, by its name in recipes."""
        return self._tokenizers

    @classmethod
    def read(cls, content: Mapping[str, Any], source: str) -> Study:
        """Check the content of a study file. Raises ValidationError (pydantic) and StudyError."""
        named, tokenizers = name_tokenizers(content, source)
        return cls.model_validate(named).with_tokenizers(tokenizers)

    def with_tokenizers(self, files: Mapping[str, bytes]) -> Study:
        """Add files of tokenizers to `tokenizers`; returns the study."""
        self._tokenizers.update(files)
        return self


def load_study(path: Path) -> Study:
    """Read and check a study file; `sweep.design.arms` checks its arms.

    Raises StudyError with a sentence for each mistake, which names the file, the line and the key.
    """
    text = read_study_text(path)
    return parse_study(text.content, str(path), text.lines)


def parse_study(
    content: Mapping[str, Any], source: str, lines: Callable[[], Lines] = dict
) -> Study:
    """Check a study given as a mapping; `source` and `lines` locate errors. Raises StudyError."""
    try:
        return Study.read(content, source)
    except ValidationError as error:
        raise InvalidStudyError(explain(error, Study), source, lines()) from error


def changed_fields(intervention: Intervention) -> dict[str, Any]:
    """The fields that an intervention sets, as `section.field`, from dotted keys or tables.

    Raises StudyError if it sets a field in both ways.
    """
    fields: dict[str, Any] = {}
    for key, value in intervention.set.items():
        is_section = isinstance(value, dict) and value
        written = to_dotted({key: value}) if is_section else {key: value}
        for field in fields.keys() & written.keys():
            raise InvalidStudyError([Mistake((field,), f"sets {shown(field)} twice; name it once")])
        fields.update(written)
    return fields


def apply(baseline: Baseline, fields: Mapping[str, Any], seeds: Seeds) -> Recipe:
    """The recipe of the baseline with `fields` set.

    Raises InvalidStudyError with all unknown fields and wrong values.
    """
    known = {key: value for key, value in fields.items() if key in RECIPE_FIELDS}
    mistakes = [
        Mistake((key,), f"sets {shown(key)}, which is not a recipe field{recipe_advice(key)}")
        for key in fields
        if key not in known
    ]
    recipe = with_fields(baseline.model_dump(exclude_unset=True), known)
    try:
        made = Recipe.model_validate({**recipe, "seeds": seeds.model_dump()})
    except ValidationError as error:
        must = ", which must be " if fields else " must be "
        for each in explain(error, Recipe, must):
            key = ".".join(each.keys)
            sentence = f"sets {each.sentence}" if fields else each.sentence
            mistakes.append(Mistake((key,) if key in known else (), sentence))
        raise InvalidStudyError(mistakes) from error
    if mistakes:
        raise InvalidStudyError(mistakes)
    return made


def recipe_advice(key: str) -> str:
    """The end of a sentence on a key that is not a recipe field: which field it may mean."""
    section, _, field = key.removeprefix("baseline.").partition(".")
    found = suggest(("baseline", section, field) if field else ("baseline", section), Study)
    if not found.certain and not (field and section in Baseline.model_fields and found.fields):
        of_section = suggest(("baseline", section), Study)
        found = of_section if of_section.certain or not found.fields else found
    fields = tuple(each.removeprefix("baseline.") for each in found.fields)
    if fields and fields[0] in RECIPE_FIELDS:
        return replace(found, fields=fields).words()
    if fields and found.is_table and found.fields != fields:
        inside = ", ".join(each for each in RECIPE_FIELDS if each.startswith(f"{fields[0]}."))
        return f"; the fields of {fields[0]!r} are {inside}"
    if fields and found.certain:
        return f"; a study file sets {fields[0]!r}, the same for all arms"
    return found.words() if found.note else "; docs/recipe.md lists them"
