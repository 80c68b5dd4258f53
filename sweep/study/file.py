"""The study file: question, baseline, interventions, seeds, and rules of the verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import (
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticKnownError

from model.config import Config
from sweep.metrics.metric import Metric
from sweep.study.analysis_section import Analysis
from sweep.study.design_section import Design
from sweep.study.evaluation_section import Evaluation
from sweep.study.explain import explain
from sweep.study.field_names import NAME, suggest
from sweep.study.jobs_section import Jobs
from sweep.study.judged_metrics import (
    check_declared,
    check_judged,
    known_metrics,
    primary_name,
)
from sweep.study.metrics_section import MetricSettings
from sweep.study.mistakes import InvalidStudyError, Lines, Mistake
from sweep.study.names import Name, Reason
from sweep.study.parameters_section import Parameters
from sweep.study.reading import read_study_text
from sweep.study.script_code import find_code
from sweep.study.search_section import Search
from sweep.study.seeds import SeedList, SeedNumber
from sweep.study.tokenizer_paths import name_tokenizers
from sweep.study.trainer_section import ScriptTrainer
from sweep.terminal.printable import shown
from trainer.recipe import Recipe, SeedlessRecipe, Seeds
from trainer.recipe_forms import RECIPE_FIELDS, to_dotted, with_fields


class Baseline(SeedlessRecipe):
    """The recipe that interventions change; its seeds come from the design."""


class Intervention(Config):
    """A named set of recipe fields, with a reason."""

    because: Reason = Field(examples=["Why it is expected to help."])
    """Why it is expected to help."""
    set: dict[str, Any] = Field(min_length=1, examples=[{"model.dropout": 0.0}])
    """Recipe fields and their values: `"model.dropout" = 0.0`."""
    seeds: SeedList | SeedNumber | None = None
    """Seeds of this arm instead of `design.seeds`: a number, or a list. The baseline has them too."""


class Stack(Config):
    """Several interventions in one arm."""

    combine: list[Name] = Field(min_length=2, examples=[["one", "another"]])
    """Names of interventions; they must not set a field to different values."""
    seeds: SeedList | SeedNumber | None = None
    """Seeds of this arm instead of `design.seeds`, as those of an intervention."""


class Study(Config):
    """A whole study file."""

    name: Name = Field(examples=["my-study"])
    """The study's name, by which commands find it: letters, digits, `-`, `_`, `.` and `+`."""
    question: str = ""
    """What you want to know, in a sentence for people who read the file."""
    trainer: ScriptTrainer | None = None
    """The script that trains a run; None for the built-in GPT trainer."""
    parameters: Parameters = Field(default={})
    """The script's parameters, with their values in the baseline."""
    metrics: dict[Name, MetricSettings] = Field(default={})
    """The numbers that the script is judged by."""
    baseline: Baseline = Baseline()
    search: Search | None = None
    interventions: dict[Name, Intervention] = Field(examples=["no-dropout"])
    stacks: dict[Name, Stack] = Field(default={})
    design: Design
    jobs: Jobs = Jobs()
    evaluation: Evaluation = Evaluation()
    analysis: Analysis
    _tokenizers: dict[str, bytes] = PrivateAttr(default_factory=dict)
    _source: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _tables_belong_to_the_trainer(self) -> Study:
        if self.trainer is None:
            check_judged({}, self.analysis)
            for name in ("parameters", "metrics"):
                if getattr(self, name):
                    raise ValueError(
                        f"[{name}] belongs to a script; add [trainer] with its command, or remove it"
                    )
            return self
        if "baseline" in self.model_fields_set:
            raise ValueError(
                "[baseline] belongs to the built-in trainer; a script's values are under [parameters]"
            )
        if self.analysis.exchange:
            raise ValueError("analysis.exchange changes train.tokens, which a script does not have")
        if self.evaluation.instructions:
            raise ValueError(
                "[evaluation.instructions] is about models of the built-in trainer; a script reports "
                "such a score as one of its [metrics]"
            )
        check_declared(self.metrics, self.analysis)
        check_judged(self.metrics, self.analysis)
        return self

    @property
    def metric(self) -> Metric:
        """The metric that verdicts are about."""
        return self.known_metrics[primary_name(self.metrics, self.analysis)]

    @property
    def known_metrics(self) -> Mapping[str, Metric]:
        """All metrics of its runs, by name."""
        return known_metrics(self.metrics)

    @property
    def source(self) -> Path:
        """The path of the study file."""
        return Path(self._source)

    @property
    def script(self) -> ScriptTrainer:
        """The script that trains its runs. Only for a study that has one."""
        assert self.trainer is not None  # noqa: S101  (for the type checker)
        return self.trainer

    @property
    def script_folder(self) -> Path:
        """The folder in which its script is run, absolute."""
        return (self.source.parent / Path(self.script.workdir).expanduser()).resolve()

    @cached_property
    def code(self) -> dict[str, str]:
        """SHA-256 of the files of its script, by path: read once, so that all arms have the same.

        Raises StudyError as `find_code` does.
        """
        return find_code(self.script, self.script_folder)

    @model_validator(mode="before")
    @classmethod
    def _search_needs_no_interventions(cls, content: Any) -> Any:  # noqa: ANN401  (any TOML)
        is_search = isinstance(content, Mapping) and "search" in content
        return {"interventions": {}, **content} if is_search else content

    @field_validator("interventions")
    @classmethod
    def _has_interventions(
        cls, value: dict[str, Intervention], info: ValidationInfo
    ) -> dict[str, Intervention]:
        if not value and info.data.get("search") is None:
            counts = {"field_type": "Dictionary", "min_length": 1, "actual_length": 0}
            raise PydanticKnownError("too_short", counts)
        return value

    @property
    def tokenizers(self) -> Mapping[str, bytes]:
        """The `tokenizer.json` of each tokenizer whose path the file names, by its name in recipes."""
        return self._tokenizers

    @classmethod
    def read(cls, content: Mapping[str, Any], source: str) -> Study:
        """Check the content of a study file. Raises ValidationError (pydantic) and StudyError."""
        named, tokenizers = name_tokenizers(content, source)
        return cls.model_validate(named).read_from(source, tokenizers)

    def read_from(self, source: str, tokenizers: Mapping[str, bytes]) -> Study:
        """Note the study's file, and the files of its tokenizers; returns the study."""
        self._source = source
        self._tokenizers.update(tokenizers)
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
        is_section = isinstance(value, dict) and value and key not in RECIPE_FIELDS
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
        of_recipe = tuple(each for each in fields if each in RECIPE_FIELDS)
        return replace(found, fields=of_recipe).words()
    if fields and found.is_table and found.fields != fields:
        inside = ", ".join(each for each in RECIPE_FIELDS if each.startswith(f"{fields[0]}."))
        return f"; the fields of {fields[0]!r} are {inside}"
    if fields and found.certain:
        general = min(fields, key=lambda each: NAME in each)  # rather than of one arm
        return f"; a study file sets {general!r}, the same for all arms"
    return found.words() if found.note else "; docs/recipe.md lists them"
