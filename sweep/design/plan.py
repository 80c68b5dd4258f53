"""The plan of a study: its arms, seeds and rules, fixed before the first run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sweep.design.factors import find_factors
from sweep.study.design_section import DEFAULT_KIND
from sweep.study.file import Study
from sweep.trainers.base import RunSpec


@dataclass(frozen=True)
class Arm:
    """The baseline with a set of interventions applied."""

    name: str
    interventions: tuple[str, ...]
    """Names of the interventions, in the order in which they are applied."""
    changes: dict[str, Any]
    """Recipe fields that it sets, as `section.field`."""
    specs: dict[int, RunSpec]
    """Runs by seed of the study."""

    @property
    def spec(self) -> RunSpec:
        """The run with the first seed; the others differ by their seeds alone."""
        return next(iter(self.specs.values()))

    @cached_property
    def identity(self) -> str:
        """Everything that the arm sets but its seeds, as canonical JSON."""
        return self.spec.identity


@dataclass(frozen=True)
class Plan:
    """Everything that is fixed before the first run: arms, seeds, and the rules of the verdicts."""

    study: Study
    arms: tuple[Arm, ...]
    """The baseline first."""
    source: str
    """Path of the study file, for error messages."""
    overrides: Mapping[str, Any]
    """Baseline fields that the command line set, as `section.field`."""
    stack: Mapping[str, Any] | None = None
    """Origin and predicted effect of a stack, see `sweep.verdicts.stack_choice`; None for other plans."""
    tuned: Mapping[str, Any] | None = None
    """Origin of the values that a search has found; None if nothing was searched."""

    @property
    def seeds(self) -> list[int]:
        """The seeds, equal for all arms."""
        return self.study.design.seed_list()

    @property
    def compared(self) -> list[Arm]:
        """The arms that are questions: neither the baseline nor the baseline with other budgets."""
        return [arm for arm in self.arms if arm.interventions]

    def arm(self, name: str) -> Arm:
        """The arm with this name. Raises KeyError."""
        return {arm.name: arm for arm in self.arms}[name]

    def content(self) -> dict[str, Any]:
        """The plan as plain JSON values, as the database stores it."""
        return {
            "study": self.study.name,
            "analysis": self.study.analysis.content(),
            "seeds": self.seeds,
            "vary": sorted(set(self.study.design.vary)),
            "hold": self.study.design.hold,
            "arms": {arm.name: json.loads(arm.identity) for arm in self.arms},
            **_script_content(self.study),
            **({"design": design} if (design := self.design_content()) else {}),
            **({"overrides": dict(self.overrides)} if self.overrides else {}),
            **({"stack": dict(self.stack)} if self.stack else {}),
            **({"tuned": dict(self.tuned)} if self.tuned else {}),
        }

    def design_content(self) -> dict[str, Any] | None:
        """Kind and factors of the design; None for one change at a time and for stacks."""
        kind = self.study.design.kind
        if kind == DEFAULT_KIND or self.stack:
            return None
        factors = find_factors(self.study)
        return {"kind": kind, "factors": {each.name: list(each.levels) for each in factors}}

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the content; comments and the order of keys in the study file do not change it."""
        return hashlib.sha256(json.dumps(self.content(), sort_keys=True).encode()).hexdigest()


def _script_content(study: Study) -> dict[str, Any]:
    """What a plan says of a script's metric; nothing for the built-in trainer."""
    if study.trainer is None:
        return {}
    metric = study.metric
    return {
        "metric": metric.name,
        "direction": metric.direction.value,
        "pairs": study.trainer.pairs,
        "metrics": {each.name: each.json for each in study.known_metrics.values()},
    }
