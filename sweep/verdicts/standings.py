"""The verdicts so far, in the few fields that a live display shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sweep.errors import StoreError
from sweep.history.history import plan_history
from sweep.progress.screen import Standing
from sweep.progress.surroundings import Surroundings
from sweep.store.ledger import directory_name
from sweep.store.places import find_places
from sweep.store.rows import StudyRow
from sweep.store.store import Store
from sweep.verdicts.analysis_plan import analysis_plan
from sweep.verdicts.evidence import read_evidence
from sweep.verdicts.stopped import with_stopped
from trainer.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from analysis.verdict import ArmVerdict


def surroundings_of(store: Store, study: str | None, folder: Path) -> Surroundings:
    """What a live display shows of a stored study beside its running runs."""
    found = store.study_if_any(study) if study else None
    if found is None:
        return Surroundings(folder=folder)
    plan = store.plan(found)

    def baseline_runs() -> dict[int, str]:
        try:
            places = find_places(store, found.name, plan.baseline)
        except StoreError:  # the thread that draws tries again
            return {}
        return {place.seed: directory_name(place.run_id) for place in places}

    return Surroundings(
        folder=folder,
        baseline=plan.baseline,
        baseline_runs=baseline_runs,
        standings=lambda: find_standings(store, found),
    )


def find_standings(store: Store, study: StudyRow) -> Sequence[Standing]:
    """How the arms stand by the results so far, the baseline first.

    Empty for a search, whose trials are not compared with a baseline, and while the results cannot
    be read or judged: a display waits for the next try.
    """
    from analysis.tables.table import verdict_style
    from analysis.verdict import judge

    try:
        history = plan_history(store, study)
        plan = replace(store.plan(study), looks=history.looks)
        if plan.search is not None:
            return ()
        names = [arm.name for arm in store.arms(study.name)]
        evidence = read_evidence(store, study.name)
        rules = analysis_plan(names, plan, history.questions_withdrawn)
        judged = with_stopped(judge(evidence.judged_runs, rules), evidence)
    except (UserError, ValueError):
        return ()
    return [_standing(row, verdict_style(row.verdict)) for row in judged.arms]


def _standing(row: ArmVerdict, style: str) -> Standing:
    ended = row.n_done + row.n_diverged
    is_shown = row.effect is not None or row.verdict not in {None, "undecided"}
    return Standing(
        arm=row.arm,
        ended=ended,
        planned=ended + row.n_failed + row.n_missing,
        mean=row.mean,
        effect=row.effect,
        low=row.ci_low_adjusted,
        high=row.ci_high_adjusted,
        verdict=str(row.verdict) if row.verdict and is_shown else "",
        style=style,
    )
