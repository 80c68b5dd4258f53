"""The plan of a study as the database stores it, with typed fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sweep.metrics.metric import Direction
from sweep.study.file import BASELINE


@dataclass(frozen=True, kw_only=True)
class AnalysisSettings:
    """Settings of the tests that give the verdicts."""

    alpha: float
    correction: str
    """A name in the registry of corrections."""
    smallest_effect: float
    """In the unit of the metric: nats per token if sweep trained the runs."""


@dataclass(frozen=True, kw_only=True)
class StackContent:
    """The part of a stack's plan that says where the stack comes from."""

    of: str
    """The study whose interventions are stacked."""
    plan: str
    """Hash of that study's plan."""
    promise: Mapping[str, Any]
    """The fields of `analysis.stacking.Promise`."""
    json: Mapping[str, Any]
    """The stored JSON."""

    @property
    def members(self) -> list[str]:
        """The stacked interventions."""
        return list(self.promise["members"])

    @property
    def promised_effect(self) -> float:
        """Predicted effect, nats per token."""
        return float(self.promise["effect"])


@dataclass(frozen=True, kw_only=True)
class PlanContent:
    """A plan: decided before the first run, or derived from an imported file."""

    study: str
    analysis: AnalysisSettings
    arms: Mapping[str, Any]
    """By arm: its recipe without seeds as nested JSON; for an imported study its number of runs."""
    baseline: str = BASELINE
    seeds: Sequence[int] = ()
    vary: Sequence[str] = ()
    """Random streams that differ between seeds."""
    hold: int = 0
    """Seed of the other streams."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Baseline fields that the command line set, as `section.field`."""
    stack: StackContent | None = None
    imported: bool = False
    metric: str | None = None
    """Column of an imported file that holds the losses."""
    direction: Direction = Direction.MINIMIZE
    """The direction in which the metric improves."""
    seed_columns: Sequence[str] = ()
    """The columns that an imported study's runs pair by."""
    labels: Mapping[str, int] = field(default_factory=dict)
    """Seeds of an imported study that are not numbers, with the numbers that stand for them."""
    existed: Mapping[str, Sequence[int]] | None = None
    """By arm: the seeds whose runs had results before the plan; None if that was not recorded."""
    replaced: Sequence[str] = ()
    """Results of an imported study that a later import replaced, in words."""
    json: Mapping[str, Any] = field(default_factory=dict)
    """The stored JSON."""

    @classmethod
    def from_json(cls, json: Mapping[str, Any]) -> PlanContent:
        """Read the column `plans.content`. Raises KeyError if a field is missing."""
        stack = json.get("stack")
        return cls(
            study=json["study"],
            analysis=AnalysisSettings(**json["analysis"]),
            arms=json["arms"],
            baseline=json.get("baseline", BASELINE),
            seeds=json.get("seeds", ()),
            vary=json.get("vary", ()),
            hold=json.get("hold", 0),
            overrides=json.get("overrides", {}),
            stack=StackContent(**stack, json=stack) if stack else None,
            imported=json.get("imported", False),
            metric=json.get("metric"),
            direction=Direction(json.get("direction", Direction.MINIMIZE)),
            seed_columns=json.get("seed_columns", ()),
            labels=json.get("labels", {}),
            existed=json.get("existed"),
            replaced=json.get("replaced", ()),
            json=json,
        )
