"""The effects of a design that combines interventions: factorials, pairs, leave-one-out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweep.metrics.metric import Metric
from sweep.store.plan_content import IMPORTED_FACTORIAL, DesignContent, PlanContent
from sweep.store.rows import ArmRow
from sweep.verdicts.analysis_plan import analysis_plan
from sweep.verdicts.evidence import Evidence

if TYPE_CHECKING:
    from analysis.factorials.result import FactorialResult
    from analysis.factorials.terms import Factors

PAIRS, LEAVE_ONE_OUT = "pairs", "leave-one-out"
"""Designs whose effects are contrasts of a few arms."""
OF_ALL_ARMS = frozenset({"factorial", "fractional", IMPORTED_FACTORIAL})
"""Designs whose arms are compared by effects, and not each with the baseline."""


@dataclass(frozen=True, kw_only=True)
class DesignEffects:
    """A design, and the effects that its runs show."""

    kind: str
    factors: Mapping[str, Sequence[str]]
    """By factor: the interventions that are its levels; of an imported factorial, all levels."""
    result: FactorialResult

    @property
    def of_all_arms(self) -> bool:
        """True if every effect rests on all arms."""
        return self.kind in OF_ALL_ARMS


def find_effects(
    content: PlanContent, arms: Sequence[ArmRow], evidence: Evidence, metric: Metric
) -> DesignEffects | None:
    """The effects of a study's design on a metric; None for one change at a time."""
    if content.design is None:
        return None
    from analysis.factorials.contrasts import beside_all_others, beyond_the_sum, judge_contrasts
    from analysis.factorials.judge import judge_factorial

    design = content.design
    factors = _factors(design, arms, content)
    plan = analysis_plan([arm.name for arm in arms], content, metric=metric)
    runs = evidence.judged_runs
    contrasts = {PAIRS: beyond_the_sum, LEAVE_ONE_OUT: beside_all_others}.get(design.kind)
    if contrasts:
        result = judge_contrasts(runs, contrasts(factors), plan)
    else:
        share_seeds = content.pairs and (not content.imported or bool(content.seed_columns))
        result = judge_factorial(runs, factors, plan, paired=share_seeds)
    return DesignEffects(kind=design.kind, factors=design.factors, result=result)


def _factors(design: DesignContent, arms: Sequence[ArmRow], content: PlanContent) -> Factors:
    from analysis.factorials.terms import Factors

    if design.cells:
        cells = {arm: tuple(levels) for arm, levels in design.cells.items()}
        labels = [_labels(name, levels) for name, levels in design.factors.items()]
    else:
        others = set(content.budgets)
        cells = {
            arm.name: tuple(design.levels_of(arm.interventions))
            for arm in arms
            if arm.name not in others
        }
        labels = [tuple(levels) for levels in design.factors.values()]
    return Factors(names=tuple(design.factors), labels=tuple(labels), cells=cells)


def _labels(name: str, levels: Sequence[str]) -> tuple[str, ...]:
    """The names of an imported factor's effects: its own; of several levels, those of each."""
    return (name,) if len(levels) == 2 else tuple(f"{name} = {level}" for level in levels[1:])
