"""The arm of a study that its verdicts show to be best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sweep.errors import StudyError
from sweep.metrics.metric import Direction
from sweep.verdicts.judge import ArmReport, Report

UNDECIDED = frozenset({None, "undecided"})
"""Verdicts that say nothing yet."""


@dataclass(frozen=True, kw_only=True)
class BestArm:
    """The best arm, and what there is to say about the others."""

    arm: ArmReport
    is_baseline: bool
    also_better: Sequence[str]
    """Other arms that are better than the baseline, and break no guard."""
    guarded: Sequence[str]
    """Better arms that a guard speaks against."""
    undecided: Sequence[str]
    """Arms without a verdict."""


def find_best_arm(report: Report) -> BestArm | None:
    """Return the arm with the largest effect of those that are better and break no guard.

    The baseline if there is none, since no change was shown to improve it; None if no arm has a
    verdict. Raises StudyError for a design that compares effects, and not arms.
    """
    if report.factorial:
        raise StudyError(
            f"{report.study}: a factorial has verdicts on effects and none on arms, so that no arm is "
            "the best by verdict; export a run of it by ARM/SEED"
        )
    baseline, *others = report.arms
    undecided = [arm.name for arm in others if arm.result.verdict in UNDECIDED]
    if others and len(undecided) == len(others):
        return None
    sign = 1 if report.direction is Direction.MAXIMIZE else -1
    better = [arm for arm in others if arm.result.verdict == "better"]
    kept = [arm for arm in better if not _breaks_a_guard(report, arm.name)]
    ordered = sorted(kept, key=lambda arm: -sign * (arm.effect or 0.0))
    return BestArm(
        arm=ordered[0] if ordered else baseline,
        is_baseline=not ordered,
        also_better=[arm.name for arm in ordered[1:]],
        guarded=[arm.name for arm in better if arm not in kept],
        undecided=undecided,
    )


def _breaks_a_guard(report: Report, arm: str) -> bool:
    return any(
        arm in guard.answers and guard.answers[arm].state == "worse" for guard in report.guards
    )
