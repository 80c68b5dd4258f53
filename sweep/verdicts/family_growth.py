"""Verdicts that differ from earlier ones only because the study asks more questions now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sweep.history.looks import recorded_looks
from sweep.history.withdrawn import find_withdrawn
from sweep.store.plan_content import PlanContent
from sweep.store.rows import StudyRow
from sweep.store.store import Store
from sweep.trainers.stored_recipes import flat_recipe
from sweep.verdicts.analysis_plan import analysis_plan
from sweep.verdicts.evidence import Evidence

if TYPE_CHECKING:
    from analysis.verdict import Judgement


@dataclass(frozen=True, kw_only=True)
class ChangedVerdict:
    """The verdict on one arm, with the same runs and two families."""

    arm: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class FamilyGrowth:
    """What the growth of the family since an earlier plan has changed."""

    before: int
    """Questions of the earlier plan."""
    after: int
    changed: Sequence[ChangedVerdict]
    """Never empty."""


def find_family_growth(
    store: Store, study: StudyRow, evidence: Evidence, now: Judgement
) -> FamilyGrowth | None:
    """Judge the arms of the latest plan with a smaller family again, as if it were still the plan.

    The runs, the level and the correction are those of today. None if no verdict differs, or if no
    plan had a smaller family.
    """
    rows = store.plans(study.name)
    if len(rows) < 2:
        return None
    contents = {row.hash: PlanContent.from_json(row.content) for row in rows}
    current = contents.pop(study.plan_hash)
    current = replace(current, looks=recorded_looks(store, study.name, current))
    earlier = list(contents.values())
    for index in reversed(range(len(earlier))):
        withdrawn = find_withdrawn(store, earlier[index], earlier[:index])
        asked = len(earlier[index].arms) - 1 - len(earlier[index].budgets)
        family = asked + sum(arm.in_family for arm in withdrawn)
        kept = _kept_arms(earlier[index], current)
        if family < now.family and kept:
            changed = _changed(_judge_again(evidence, current, kept, family), now)
            return (
                FamilyGrowth(before=family, after=now.family, changed=changed) if changed else None
            )
    return None


def _kept_arms(earlier: PlanContent, current: PlanContent) -> list[str]:
    """Arms that both plans have, with the same recipes; none if the baselines differ."""
    same = [arm for arm in current.arms if _same(earlier.arms.get(arm), current.arms[arm])]
    return [arm for arm in same if arm != current.baseline] if current.baseline in same else []


def _same(before: object, after: object) -> bool:
    """True if two recipes are the same. An import has numbers of runs instead, which may grow."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return flat_recipe(before) == flat_recipe(after)
    return before is not None and type(before) is type(after)


def _judge_again(
    evidence: Evidence, plan: PlanContent, arms: Sequence[str], family: int
) -> Judgement:
    from analysis.verdict import judge

    runs = evidence.judged_runs
    rules = analysis_plan([plan.baseline, *arms], plan, withdrawn=family - len(arms))
    return judge(runs[runs["arm"].isin([plan.baseline, *arms])], rules)


def _changed(before: Judgement, after: Judgement) -> list[ChangedVerdict]:
    found = []
    for arm in before.arms[1:]:
        old, new = arm.verdict, after[arm.arm].verdict
        if old and new and old != new:
            found.append(ChangedVerdict(arm=arm.arm, before=old, after=new))
    return found
