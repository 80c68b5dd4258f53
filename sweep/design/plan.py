"""The plan of a study: its arms, seeds and rules, fixed before the first run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sweep.study.file import Study
from trainer.recipe import Recipe


@dataclass(frozen=True)
class Arm:
    """The baseline with a set of interventions applied."""

    name: str
    interventions: tuple[str, ...]
    changes: dict[str, Any]
    """The recipe fields that it sets, as `section.field`."""
    recipes: dict[int, Recipe]
    """One recipe per seed of the study."""

    @property
    def recipe(self) -> Recipe:
        """A recipe of the arm; only its seeds differ from the others'."""
        return next(iter(self.recipes.values()))

    @cached_property
    def identity(self) -> str:
        """The recipe without its seeds, as canonical JSON."""
        fields = json.loads(self.recipe.canonical())
        return json.dumps({k: v for k, v in fields.items() if k != "seeds"}, sort_keys=True)


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
