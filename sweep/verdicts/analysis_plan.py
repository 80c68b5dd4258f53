"""The rules by which a stored plan is judged, as `analysis.rules.Plan`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sweep.metrics.metric import Direction
from sweep.store.plan_content import PlanContent

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
    settings = content.analysis
    return Plan(
        arms=tuple(others),
        baseline=baseline,
        alpha=settings.alpha,
        correction=settings.correction,
        smallest_effect=settings.smallest_effect,
        withdrawn=withdrawn,
        higher_is_better=content.direction is Direction.MAXIMIZE,
        looks=_looks(content, others),
        seen_before=frozenset(arm for arm in others if (content.existed or {}).get(arm)),
        pairs=content.pairs,
    )


def _looks(content: PlanContent, arms: Sequence[str]) -> dict[str, Look]:
    """The looks at these arms before the plan. An import's seeds are never dropped."""
    from analysis.looks import Look

    return {
        arm: Look(
            seeds=frozenset(look.seeds),
            baseline=frozenset(look.baseline),
            dropped=0 if content.imported else len(set(look.seen) - set(content.seeds)),
        )
        for arm, look in (content.looks or {}).items()
        if arm in arms
    }
