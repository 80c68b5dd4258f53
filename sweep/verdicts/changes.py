"""What a study compares: its arms with the baseline, or the effects of a factorial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweep.verdicts.judge import Report

if TYPE_CHECKING:
    from analysis.decision import Verdict
    from analysis.effect_verdict import EffectVerdict


@dataclass(frozen=True, kw_only=True)
class JudgedChange:
    """A change with its effect, in the unit of the metric, and its verdict. None if unknown."""

    name: str
    effect: float | None
    low: float | None
    """The interval that the verdict uses."""
    high: float | None
    verdict: Verdict | None


def judged_changes(report: Report) -> list[JudgedChange]:
    """The effects of a factorial; of other designs, the arms without the baseline."""
    results: Sequence[tuple[str, EffectVerdict]]
    if report.factorial:
        results = [(each.name, each) for each in report.factorial.result.effects]
    else:
        results = [(arm.name, arm.result) for arm in report.arms[1:]]
    return [
        JudgedChange(
            name=name,
            effect=result.effect,
            low=result.ci_low_adjusted,
            high=result.ci_high_adjusted,
            verdict=result.verdict,
        )
        for name, result in results
    ]
