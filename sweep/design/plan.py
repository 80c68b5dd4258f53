"""The plan of a study: its arms, seeds and rules, fixed before the first run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from sweep.design.factors import find_factors
from sweep.study.design_section import DEFAULT_KIND
from sweep.study.file import Study
from sweep.study.seeds import joined
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

    settled: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """By arm: the seeds that `sweep settle` added to those of the file."""

    @property
    def seeds(self) -> list[int]:
        """The seeds of arms that have none of their own; those of a race, up to its most."""
        return self.study.design.seed_list()

    @property
    def cells(self) -> list[tuple[str, int]]:
        """All runs as arm and seed: all arms with the first seed, then with the second, ..."""
        order = joined([self.seeds, *(list(arm.specs) for arm in self.arms)])
        return [(arm.name, seed) for seed in order for arm in self.arms if seed in arm.specs]

    @property
    def first_cells(self) -> list[tuple[str, int]]:
        """The runs that are trained whatever the results are: of a race, those of its start."""
        race = self.study.design.race
        start = set(self.seeds[: race.start]) if race else set()
        return [cell for cell in self.cells if race is None or cell[1] in start]

    def with_settled(self, seeds: Mapping[str, Sequence[int]]) -> Plan:
        """The plan with further seeds for some arms, and for the baseline where it lacks them."""
        further = {
            arm.name: [seed for seed in seeds.get(arm.name, ()) if seed not in arm.specs]
            for arm in self.arms[1:]
        }
        found = {arm: added for arm, added in further.items() if added}
        if not found:
            return self
        baseline, *others = self.arms
        arms = [self._extended(arm, found.get(arm.name, ())) for arm in others]
        longest = self._extended(baseline, joined(list(arm.specs) for arm in arms))
        settled = {
            arm: [*self.settled.get(arm, ()), *found.get(arm, ())]
            for arm in dict.fromkeys([*self.settled, *found])
        }
        return replace(self, arms=(longest, *arms), settled=settled)

    def _extended(self, arm: Arm, seeds: Sequence[int]) -> Arm:
        streams = self.study.design.streams
        more = {seed: arm.spec.with_seeds(streams(seed)) for seed in seeds if seed not in arm.specs}
        return replace(arm, specs={**arm.specs, **more}) if more else arm

    @property
    def compared(self) -> list[Arm]:
        """The arms that are questions: neither the baseline nor the baseline with other budgets."""
        return [arm for arm in self.arms if arm.interventions]

    @property
    def pairs(self) -> bool:
        """True if runs of two arms with the same seed are compared as a pair."""
        return self.study.trainer is None or self.study.trainer.pairs

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
            **self._seed_content(),
            **({"stop_worse": rules} if (rules := self._stop_worse_content()) else {}),
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

    def _seed_content(self) -> dict[str, Any]:
        """The keys of a plan with seeds of single arms or with a race; empty for other plans."""
        own = {
            arm.name: [seed for seed in arm.specs if seed not in self.settled.get(arm.name, ())]
            for arm in self.arms[1:]
        }
        found = {
            "arm_seeds": {arm: seeds for arm, seeds in own.items() if seeds != self.seeds},
            "settled": {arm: list(seeds) for arm, seeds in self.settled.items()},
            "race": {"start": race.start} if (race := self.study.design.race) else None,
        }
        return {key: value for key, value in found.items() if value}

    def _stop_worse_content(self) -> dict[str, Any] | None:
        rules = self.study.design.stop_worse
        return None if rules is None else rules.model_dump(exclude_defaults=True)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the content; comments and the order of keys in the study file do not change it."""
        return hashlib.sha256(json.dumps(self.content(), sort_keys=True).encode()).hexdigest()


def _script_content(study: Study) -> dict[str, Any]:
    """The keys of a plan on a script's metric; empty for the built-in trainer."""
    if study.trainer is None:
        return {}
    metric = study.metric
    return {
        "metric": metric.name,
        "direction": metric.direction.value,
        "pairs": study.trainer.pairs,
        "metrics": {each.name: each.json for each in study.known_metrics.values()},
    }
