"""The rules by which a stored plan is judged, as `analysis.rules.Plan`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sweep.metrics.bounds import parse_bound
from sweep.metrics.metric import Direction, Metric
from sweep.metrics.registry import PRIMARY
from sweep.store.plan_content import AnalysisSettings, PlanContent
from sweep.study.judged_metrics import find_metric
from sweep.trainers.stored_recipes import flat_recipe, planned_tokens

if TYPE_CHECKING:
    from analysis.looks import Look
    from analysis.rules import Plan, Race


def analysis_plan(
    arms: Sequence[str],
    content: PlanContent,
    withdrawn: int = 0,
    metric: Metric | None = None,
) -> Plan:
    """The part of a plan that the analysis needs.

    `arms` starts with the baseline, as `Store.arms` does; `withdrawn` is the number of withdrawn
    questions. `metric`: the metric to judge by, by default the study's primary one. Only the test
    loss can be given in tokens.
    """
    from analysis.rules import Plan

    baseline, *others = arms
    looks, judged = _looks(content, others), metric or content.primary
    settings = content.analysis
    return Plan(
        arms=tuple(others),
        baseline=baseline,
        alpha=settings.alpha,
        correction=settings.correction,
        smallest_effect=settings.smallest_effect,
        withdrawn=withdrawn,
        margin=settings.margin,
        target=settings.target,
        budgets=_budgets(content, others) if judged == PRIMARY else {},
        outside_family=frozenset(content.budgets) & set(others),
        higher_is_better=judged.direction is Direction.MAXIMIZE,
        looks=looks,
        race=_race(content, arms),
        seen_before=frozenset(content.existed or {}) & set(others) - looks.keys(),
        pairs=content.pairs,
    )


def _looks(content: PlanContent, arms: Sequence[str]) -> dict[str, Look]:
    """The looks at these arms before the plan. An import's seeds are never dropped."""
    from analysis.looks import Look

    return {
        arm: Look(
            seeds=frozenset(look.seeds),
            baseline=frozenset(look.baseline),
            extension=look.later_plans + 1,
            dropped=0 if content.imported else len(set(look.seen) - set(content.seeds_of(arm))),
        )
        for arm, look in (content.looks or {}).items()
        if arm in arms
    }


def _race(content: PlanContent, arms: Sequence[str]) -> Race | None:
    """The race of a plan; None for a fixed plan."""
    from analysis.rules import Race

    if content.race_start is None:
        return None
    seeds = {arm: tuple(content.seeds_of(arm)) for arm in arms}
    return Race(start=content.race_start, seeds=seeds)


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Further questions of the command line; None leaves the plan's own."""

    margin: float | None = None
    target: float | None = None
    metric: str | None = None
    """The metric to judge by, in place of the study's primary one."""
    guards: Mapping[str, str] = field(default_factory=dict)
    """By metric: how much worse it may be; in place of the plan's bound for it."""

    @property
    def asked(self) -> dict[str, float | str]:
        """The questions that are asked, by name, without the metric."""
        numbers = {"margin": self.margin, "target": self.target}
        given = {name: value for name, value in numbers.items() if value is not None}
        return {**given, **{f"guard {name}": bound for name, bound in self.guards.items()}}

    def judged_by(self, plan: PlanContent) -> Metric:
        """The metric to judge by. Raises ValueError for one that the study does not have."""
        if self.metric is None:
            return plan.primary
        return find_metric(plan.known_metrics, self.metric, "metric names")

    def added_to(self, plan: PlanContent) -> AnalysisSettings:
        """The plan's settings with these questions.

        Margin, target and smallest effect of the plan are those of its primary metric. Raises
        ValueError, which begins with the name of a setting, for an impossible value.
        """
        settings, metric = plan.analysis, self.judged_by(plan)
        if metric != plan.primary:
            settings = replace(
                settings, margin=None, target=None, smallest_effect=metric.smallest_effect
            )
        changed = replace(
            settings,
            margin=settings.margin if self.margin is None else self.margin,
            target=settings.target if self.target is None else self.target,
            guards={**settings.guards, **self.guards},
        )
        check_settings(changed)
        for name, text in self.guards.items():
            metric = find_metric(plan.known_metrics, name, "guard names")
            try:
                parse_bound(text, metric)
            except ValueError as error:
                raise ValueError(f"guard {name}: {error}") from error
        return changed


NO_QUESTIONS = Questions()


def check_settings(settings: AnalysisSettings) -> None:
    """Raise ValueError, which begins with the setting's name, for an impossible value."""
    from analysis.rules import Plan

    Plan(
        arms=(),
        alpha=settings.alpha,
        correction=settings.correction,
        smallest_effect=settings.smallest_effect,
        margin=settings.margin,
        target=settings.target,
    )


def _budgets(content: PlanContent, arms: Sequence[str]) -> dict[str, float]:
    """The tokens of the baseline with other budgets, over its own, by arm."""
    own = planned_tokens(flat_recipe(content.arms[content.baseline])) if content.budgets else 1
    return {
        arm: planned_tokens(flat_recipe(content.arms[arm])) / own
        for arm in content.budgets
        if arm in arms
    }
