"""How far a stored race has come."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sweep.history.history import plan_history
from sweep.store.rows import StudyRow
from sweep.store.store import Store
from sweep.verdicts.analysis_plan import analysis_plan
from sweep.verdicts.evidence import read_evidence

if TYPE_CHECKING:
    from analysis.race import Standing


def race_standing(store: Store, study: StudyRow) -> Standing:
    """The state of a race by the results that the store has."""
    from analysis.verdict import race_standing as standing_of

    history = plan_history(store, study)
    plan = replace(store.plan(study), looks=history.looks)
    arms = [arm.name for arm in store.arms(study.name)]
    rules = analysis_plan(arms, plan, history.questions_withdrawn)
    return standing_of(read_evidence(store, study.name).judged_runs, rules)
