"""The results of a search: best trials, importance of fields, best value so far, optimism."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from sweep.design.search import TUNED, Domain
from sweep.metrics.metric import Direction
from sweep.searching.optuna_study import importance_of
from sweep.searching.trials import Outcome, Trial, read_trials
from sweep.store.plan_content import PlanContent
from sweep.store.rows import StudyRow
from sweep.store.store import Store
from sweep.study.names import BASELINE
from sweep.study.search_section import Search, SearchField
from sweep.trainers.stored_recipes import flat_recipe


@dataclass(frozen=True, kw_only=True)
class ArmSearch:
    """The search for one arm."""

    arm: str
    planned: int
    """Number of trials."""
    trials: Sequence[Trial]
    """In the order in which they were asked for."""
    direction: Direction
    importance: Mapping[str, float] | None
    """By field: its share of the differences between trials, see `importance_of`; None if there are
    too few trials."""

    @property
    def counts(self) -> Counter[Outcome]:
        """Number of trials by outcome."""
        return Counter(trial.outcome for trial in self.trials)

    @property
    def ranked(self) -> list[Trial]:
        """The complete trials, the best first."""
        sign = 1 if self.direction is Direction.MINIMIZE else -1
        complete = [each for each in self.trials if each.value is not None]
        return sorted(complete, key=lambda each: sign * (each.value or 0.0))

    @property
    def best_so_far(self) -> list[float | None]:
        """The best value of each trial and all before it; None until a trial has one."""
        best = min if self.direction is Direction.MINIMIZE else max
        worst = math.inf if self.direction is Direction.MINIMIZE else -math.inf
        values = [worst if each.value is None else each.value for each in self.trials]
        return [each if math.isfinite(each) else None for each in accumulate(values, best)]


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """The trials of a study's search."""

    study: str
    """The study with the trials."""
    of: str
    """The study whose arms are tuned."""
    search: Search
    arms: Sequence[ArmSearch]


@dataclass(frozen=True, kw_only=True)
class TunedSetting:
    """The best values that were found for an arm, and their result on fresh seeds."""

    arm: str
    """Name of the arm that has the values."""
    trial: int
    values: Mapping[str, Any]
    baseline: Mapping[str, Any]
    """The values of the baseline; empty for the baseline itself."""
    best_seen: float
    """Mean result of the best trial, on the seeds of the search."""
    confirmed: float | None
    """Mean result of the arm on fresh seeds."""

    @property
    def optimism(self) -> float | None:
        """Confirmed minus best seen: a search finds what is lucky on its seeds, too."""
        return None if self.confirmed is None else self.confirmed - self.best_seen


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """The search by which the arms of a study were tuned."""

    settings: Sequence[TunedSetting] = ()
    """Empty for a study without a search."""
    result: SearchResult | None = None


NOT_TUNED = Tuning()


def tuning_of(store: Store, study: StudyRow, means: Mapping[str, float | None]) -> Tuning:
    """Return how a study was tuned; `means` are the mean results of its arms."""
    plan = store.plan(study)
    if plan.tuned is None:
        return NOT_TUNED
    return Tuning(settings=tuned_settings(plan, means), result=search_result(store, study))


def search_result(store: Store, study: StudyRow) -> SearchResult | None:
    """Return the trials that a study has, or that it was tuned by; None if it has no search."""
    plan = store.plan(study)
    if plan.search is None:
        tuned = plan.tuned
        return search_result(store, store.study(tuned.study)) if tuned else None
    search = Search.model_validate(plan.search.settings)
    arms = [_arm_search(store, study.name, arm, key, plan) for arm, key in plan.search.arms.items()]
    return SearchResult(study=study.name, of=plan.search.of, search=search, arms=arms)


def _arm_search(store: Store, study: str, arm: str, key: str, plan: PlanContent) -> ArmSearch:
    assert plan.search is not None  # noqa: S101  (for the type checker: the caller has checked it)
    trials = read_trials(store, study, key, plan.direction)
    fields = Search.model_validate(plan.search.settings).fields
    space = [_domain(name, field, trials) for name, field in fields.items()]
    return ArmSearch(
        arm=arm,
        planned=plan.search.trials,
        trials=trials,
        direction=plan.direction,
        importance=importance_of(space, trials, plan.direction),
    )


def _domain(name: str, field: SearchField, trials: Sequence[Trial]) -> Domain:
    """The values of a field; whole numbers if all trials have such."""
    if field.choices is not None:
        return Domain(field=name, kind="choice", choices=tuple(field.choices))
    is_whole = all(isinstance(each.values.get(name), int) for each in trials)
    return Domain(
        field=name,
        kind="whole" if is_whole else "real",
        low=field.low or 0,
        high=field.high or 0,
        log=field.log,
        step=field.step,
    )


def tuned_settings(plan: PlanContent, means: Mapping[str, float | None]) -> list[TunedSetting]:
    """The values that a search has found for each arm; `means` has the results on fresh seeds."""
    if plan.tuned is None:
        return []
    of_baseline = _baseline_values(plan)
    return [
        TunedSetting(
            arm=arm if of_baseline.per_arm else TUNED,
            trial=found.trial,
            values=found.values,
            baseline={} if arm == BASELINE and of_baseline.per_arm else of_baseline.values,
            best_seen=found.best_seen,
            confirmed=means.get(arm if of_baseline.per_arm else TUNED),
        )
        for arm, found in plan.tuned.arms.items()
    ]


@dataclass(frozen=True)
class _Baseline:
    per_arm: bool
    values: Mapping[str, Any]


def _baseline_values(plan: PlanContent) -> _Baseline:
    """The values that the baseline has for the searched fields."""
    assert plan.tuned is not None  # noqa: S101  (for the type checker: the caller has checked it)
    best = plan.tuned.arms[BASELINE].values
    if plan.tuned.search.get("per_arm", False):
        return _Baseline(per_arm=True, values=best)
    recipe = flat_recipe(plan.arms[plan.baseline])
    values = {field: recipe.get(field, recipe.get(f"parameters.{field}")) for field in best}
    return _Baseline(per_arm=False, values=values)
