"""`[analysis]` of a study file: the rules of the verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from analysis.multiplicity import CorrectionName
from model.config import Config


def _as_written(bound: object) -> object:
    """A bound that is a number, as text."""
    is_number = isinstance(bound, int | float) and not isinstance(bound, bool)
    return repr(bound) if is_number else bound


BoundText = Annotated[str, BeforeValidator(_as_written)]


class Analysis(Config):
    """The rules of the verdicts; fixed before the first run."""

    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    """Largest probability of calling any intervention real if none is."""
    correction: CorrectionName = "holm"
    """Adjustment of p-values for the number of interventions."""
    smallest_effect: float = Field(gt=0, examples=[0.005])
    """In the unit of the primary metric (nats per token of the test loss); smaller effects do not
    matter."""
    margin: float | None = Field(default=None, gt=0, examples=[0.005])
    """In the same unit; arms are also tested for an improvement by at least this much."""
    target: float | None = Field(default=None, examples=[3.28])
    """In the same unit; the mean of every arm is tested for being better than it."""
    exchange: list[Annotated[float, Field(ge=0.1, le=10)]] = Field(default=[], max_length=8)
    """Budgets, as factors of the baseline's tokens: `[0.8, 1.25]` trains the baseline with these
    too, as arms that are no questions, and gives effects in tokens."""

    primary: str | None = Field(default=None, examples=["tokens_per_second"])
    """The metric that verdicts are about; by default the test loss or, of a script, the metric that
    is marked as primary, or the first."""
    guards: dict[str, BoundText] = Field(default={}, examples=[{"tokens_per_second": "-5%"}])
    """By metric: how much worse than the baseline it may be, in its unit or in percent."""

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


UNSET: Mapping[str, object] = {
    "margin": None,
    "target": None,
    "exchange": [],
    "primary": None,
    "guards": {},
}
"""Settings of the analysis that plans did not always have, as they are if they are not set."""


def without_unset(analysis: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of an analysis without those of `UNSET` that are not set: plans keep their hashes."""
    return {key: value for key, value in analysis.items() if UNSET.get(key, ...) != value}


def budget_arm(factor: float) -> str:
    """Name of the arm that trains the baseline with `factor` times its tokens: `tokens-x0.8`."""
    return f"tokens-x{factor:g}"
