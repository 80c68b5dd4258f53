"""The plan of a study: its arms, seeds and rules, fixed before the first run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sweep.study.file import Study
from sweep.trainers.base import RunSpec


@dataclass(frozen=True)
class Arm:
    """The baseline with a set of interventions applied."""

    name: str
    interventions: tuple[str, ...]
    changes: dict[str, Any]
    """The recipe fields that it sets, as `section.field`."""
    specs: dict[int, RunSpec]
    """What is trained, by seed of the study."""

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
    """All that is fixed before the first run: arms, seeds, and how the verdicts will be reached."""

    study: Study
    arms: tuple[Arm, ...]
    """The baseline first."""
    source: str
    """The study file, as errors name it."""
    overrides: Mapping[str, Any]
    """Baseline fields that the command line set, as `section.field`."""
    stack: Mapping[str, Any] | None = None
    """Of a stack (`sweep.verdicts.stack_choice`): the study that its members come from, and what they promise."""

    @property
    def seeds(self) -> list[int]:
        """The seeds, the same for every arm."""
        return self.study.design.seed_list()

    def arm(self, name: str) -> Arm:
        """The arm of that name. Raises KeyError."""
        return {arm.name: arm for arm in self.arms}[name]

    def content(self) -> dict[str, Any]:
        """What the plan consists of, as JSON values."""
        return {
            "study": self.study.name,
            "analysis": self.study.analysis.model_dump(mode="json"),
            "seeds": self.seeds,
            "vary": sorted(set(self.study.design.vary)),
            "hold": self.study.design.hold,
            "arms": {arm.name: json.loads(arm.identity) for arm in self.arms},
            **({"overrides": dict(self.overrides)} if self.overrides else {}),
            **({"stack": dict(self.stack)} if self.stack else {}),
        }

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the plan's content; a comment or an order of keys does not change it."""
        return hashlib.sha256(json.dumps(self.content(), sort_keys=True).encode()).hexdigest()
