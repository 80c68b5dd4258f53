"""The rules by which a stored plan is judged, as `analysis.rules.Plan`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sweep.metrics.metric import Direction
from sweep.store.plan_content import AnalysisSettings, PlanContent
from sweep.trainers.stored_recipes import flat_recipe, planned_tokens

if TYPE_CHECKING:
    from analysis.looks import Look
    from analysis.rules import Plan


def analysis_plan(arms: Sequence[str], content: PlanContent, withdrawn: int = 0) -> Plan:
    """The part of a plan that the analysis needs.

    `arms` starts with the baseline, as `Store.arms` does; `withdrawn` is the number of withdrawn
    questions.
    """
    from analysis.rules import Plan

    baseline, *others = arms
    looks = _looks(content, others)
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
        budgets=_budgets(content, others),
        outside_family=frozenset(content.budgets) & set(others),
        higher_is_better=content.direction is Direction.MAXIMIZE,
        looks=looks,
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
            dropped=0 if content.imported else len(set(look.seen) - set(content.seeds)),
        )
        for arm, look in (content.looks or {}).items()
        if arm in arms
    }


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Further questions of the command line; None leaves the plan's own."""

    margin: float | None = None
    target: float | None = None

    @property
    def asked(self) -> dict[str, float]:
        """Those that are asked, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def added_to(self, settings: AnalysisSettings) -> AnalysisSettings:
        """The settings with these questions. Raises ValueError as `check_settings` does."""
        margin = settings.margin if self.margin is None else self.margin
        target = settings.target if self.target is None else self.target
        changed = replace(settings, margin=margin, target=target)
        check_settings(changed)
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
