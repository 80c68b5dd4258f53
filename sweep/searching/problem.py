"""What a search looks for: the best values of some fields, for one arm."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sweep.design.plan import Arm, Plan
from sweep.design.search import Domain, domains, number_of_trials, tuned_arms
from sweep.metrics.metric import Direction
from sweep.store.search_content import SearchContent
from sweep.study.file import Study
from sweep.study.names import BASELINE
from sweep.study.search_section import Search
from sweep.trainers.base import RunSpec
from sweep.trainers.registry import trainer_of


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The search for one arm."""

    study: Study
    arm: Arm
    search: Search
    domains: Sequence[Domain]
    trials: int
    """Number of trials."""
    direction: Direction

    @cached_property
    def key(self) -> str:
        """Hash of everything that the trials depend on; equal for a search that is continued."""
        design = self.study.design
        depends_on = {
            "arm": json.loads(self.arm.identity),
            "search": self.search.content(),
            "vary": sorted(design.vary),
            "hold": design.hold,
        }
        return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()

    def trial_name(self, number: int) -> str:
        """Name of a trial in the study that has its runs."""
        prefix = "" if self.arm.name == BASELINE and not self.search.per_arm else self.arm.name
        return f"{prefix}-trial-{number}".removeprefix("-")

    def specs(self, values: Mapping[str, Any]) -> dict[int, RunSpec]:
        """The runs of a trial, by seed. Raises InvalidStudyError if its values do not fit."""
        first, *_ = self.search.seeds
        streams = self.study.design.streams
        changes = {**self.arm.changes, **values}
        spec = trainer_of(self.study).make_spec(self.study, changes, streams(first))
        return {seed: spec.with_seeds(streams(seed)) for seed in self.search.seeds}


def problems_of(plan: Plan, search: Search) -> list[Problem]:
    """One search for each arm that is tuned."""
    found, trials = domains(plan.study, search), number_of_trials(plan.study, search)
    return [
        Problem(
            study=plan.study,
            arm=arm,
            search=search,
            domains=found,
            trials=trials,
            direction=plan.study.metric.direction,
        )
        for arm in tuned_arms(plan, search)
    ]


def search_content(problems: Sequence[Problem]) -> SearchContent:
    """What the stored plan of the trials says about the search."""
    first = problems[0]
    return SearchContent(
        of=first.study.name,
        arms={each.arm.name: each.key for each in problems},
        trials=first.trials,
        settings=first.search.model_dump(mode="json", exclude_defaults=True),
    )
