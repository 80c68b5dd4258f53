"""The steps of a study: arms that add one intervention to another arm, and the verdicts on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweep.metrics.metric import Metric
from sweep.store.plan_content import PlanContent
from sweep.store.rows import ArmRow
from sweep.verdicts.analysis_plan import analysis_plan
from sweep.verdicts.effects import LEAVE_ONE_OUT, OF_ALL_ARMS
from sweep.verdicts.evidence import Evidence

if TYPE_CHECKING:
    from analysis.steps import StepVerdict

JUDGED_AS_EFFECTS = OF_ALL_ARMS | {LEAVE_ONE_OUT}
"""Designs whose table of effects answers what a change adds to others."""


@dataclass(frozen=True, kw_only=True)
class StudyStep:
    """An arm that adds one intervention to another arm, which is not the baseline."""

    adds: str
    """The intervention."""
    result: StepVerdict

    @property
    def arm(self) -> str:
        """Name of the arm."""
        return self.result.arm

    @property
    def before(self) -> str:
        """Name of the arm that it is compared with."""
        return self.result.before


def find_steps(
    content: PlanContent, arms: Sequence[ArmRow], evidence: Evidence, metric: Metric
) -> Sequence[StudyStep]:
    """Judge the steps between a study's arms on a metric, in the order of the arms.

    Empty for a design whose effects are what is asked, and for a stack, which `sweep stack` judges
    member by member. Steps from the baseline are not among them: the verdicts on arms are about these.
    """
    judged_as_effects = content.design is not None and content.design.kind in JUDGED_AS_EFFECTS
    added = {} if judged_as_effects or content.stack else _added(arms)
    if not added:
        return []
    from analysis.steps import Step, judge_steps

    plan = analysis_plan([arm.name for arm in arms], content, metric=metric)
    asked = [Step(arm=arm, before=before) for arm, before in added]
    found = judge_steps(evidence.judged_runs, asked, plan)
    return [StudyStep(adds=added[each.arm, each.before], result=each) for each in found]


def _added(arms: Sequence[ArmRow]) -> dict[tuple[str, str], str]:
    """By arm and arm before: the intervention that the one has and the other has not."""
    by_members = {frozenset(arm.interventions): arm.name for arm in arms if arm.interventions}
    return {
        (arm.name, by_members[rest]): each
        for arm in arms
        for each in reversed(arm.interventions)
        if (rest := frozenset(arm.interventions) - {each}) in by_members
    }
