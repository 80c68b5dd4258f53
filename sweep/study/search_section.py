"""`[search]` of a study file: the fields that are tuned before the arms are compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from model.config import Config, Whole
from trainer.recipe import Seed
from trainer.recipe_forms import to_dotted

DEFAULT_TRIALS = 40
MAX_TRIALS = 10_000
FIRST_SEARCH_SEED = 1_000_000_001
"""Seed of a search's first run. Searches have seeds of their own, which no verdict may use."""
RANGE_KEYS = frozenset({"low", "high", "log", "step", "choices"})

SamplerName = Literal["tpe", "random", "grid", "qmc", "cmaes", "gp"]
PrunerName = Literal["none", "median", "percentile", "successive-halving", "hyperband", "patient"]
Choice = bool | int | float | str


class SearchField(Config):
    """The values that a field may have: a range, or choices."""

    low: int | float | None = None
    """Smallest value."""
    high: int | float | None = None
    """Largest value."""
    log: bool = False
    """True to search the logarithm of the value."""
    step: Annotated[int | float, Field(gt=0)] | None = None
    """Distance between two values; any value if left out."""
    choices: list[Choice] | None = None
    """The values, instead of a range."""

    @model_validator(mode="after")
    def _is_range_or_choices(self) -> SearchField:
        if self.choices is not None:
            self._check_choices(self.choices)
        elif self.low is None or self.high is None:
            raise ValueError("give low and high, or choices")
        else:
            self._check_range(self.low, self.high)
        return self

    def _check_choices(self, choices: list[Choice]) -> None:
        if self.low is not None or self.high is not None or self.step is not None or self.log:
            raise ValueError("has choices and a range; keep one of them")
        if len(choices) < 2:
            raise ValueError("has fewer than two choices, so there is nothing to search")
        if any(each in choices[:number] for number, each in enumerate(choices)):
            raise ValueError("has a choice twice; name it once")

    def _check_range(self, low: float, high: float) -> None:
        if low >= high:
            raise ValueError(f"low = {low:g} must be below high = {high:g}")
        if self.log and low <= 0:
            raise ValueError(f"low = {low:g} must be above 0, because log = true")
        if self.log and self.step is not None:
            raise ValueError("has log and step; keep one of them")
        if self.step is not None and self.step > high - low:
            raise ValueError(f"step = {self.step:g} is larger than the range")


class Search(Config):
    """The fields that are tuned, and how."""

    fields: dict[str, SearchField] = Field(
        min_length=1, examples=[{"optimizer.learning_rate": {"low": 1e-4, "high": 1e-2}}]
    )
    """Recipe fields or parameters, and their values:
    `"optimizer.learning_rate" = { low = 1e-4, high = 1e-2, log = true }`."""
    sampler: SamplerName = "tpe"
    """Optuna's sampler, which chooses the values of each trial."""
    pruner: PrunerName = "none"
    """Optuna's pruner, which stops trials with a bad curve."""
    trials: Annotated[int, Whole, Field(ge=1, le=MAX_TRIALS)] | None = None
    """Trials for each arm that is tuned; 40 if left out, and all points of a grid."""
    seeds_per_trial: Annotated[int, Whole, Field(ge=1, le=1000)] = 1
    """Runs of each trial, the same seeds for all trials; their mean is the trial's value."""
    per_arm: bool = False
    """True to tune every arm, with the same ranges and trials, before they are compared. False to
    tune the baseline alone and compare the result, as the arm `tuned`, with the rest."""
    seed: Seed = 0
    """Seed of the sampler."""

    @field_validator("fields", mode="before")
    @classmethod
    def _dotted(cls, fields: Any) -> Any:  # noqa: ANN401  (any TOML value)
        """Accept fields in tables of their section, as interventions do."""
        if not isinstance(fields, dict):
            return fields
        flat: dict[str, Any] = {}
        for key, value in fields.items():
            is_section = isinstance(value, dict) and value and not RANGE_KEYS & value.keys()
            flat |= to_dotted({key: value}) if is_section else {key: value}
        return flat

    @property
    def seeds(self) -> list[int]:
        """Seeds of the runs of every trial."""
        return list(range(FIRST_SEARCH_SEED, FIRST_SEARCH_SEED + self.seeds_per_trial))

    def content(self) -> Mapping[str, Any]:
        """Everything that trials depend on, as JSON values: all but their number and the pruner."""
        return self.model_dump(mode="json", exclude={"trials", "pruner"}, exclude_defaults=True)
