"""Arms that were stopped early because their curves were shown to be worse."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sweep.store.plan_content import PlanContent
from sweep.store.states import RunState
from sweep.store.stopped_content import StoppedContent
from sweep.verdicts.evidence import Evidence

if TYPE_CHECKING:
    import pandas as pd

    from analysis.decision import Verdict
    from analysis.verdict import ArmVerdict, Judgement


@dataclass(frozen=True, kw_only=True)
class StoppedArm:
    """An arm that was stopped early."""

    decision: StoppedContent
    runs: int
    """Its runs that were stopped, or not started any more."""


def with_stopped(judgement: Judgement, evidence: Evidence, *, is_primary: bool = True) -> Judgement:
    """The verdicts, with "worse" for each arm that was stopped early; with none on another metric.

    Such an arm has the counts, mean and effect of the runs that have ended, but no test of them.
    """
    if not evidence.stopped:
        return judgement
    frame, baseline = evidence.frame, judgement.arms[0].arm
    verdict: Verdict | None = "worse" if is_primary else None
    rows = (
        _stopped_row(row, frame, baseline, verdict) if row.arm in evidence.stopped else row
        for row in judgement.arms
    )
    return replace(judgement, arms=tuple(rows))


def find_stopped(plan: PlanContent, evidence: Evidence) -> dict[str, StoppedArm]:
    """The arms that were stopped early, by name."""
    found = ((arm, each, _statuses(evidence.frame, arm)) for arm, each in plan.stopped.items())
    return {
        arm: StoppedArm(decision=decision, runs=int((statuses == RunState.CANCELLED).sum()))
        for arm, decision, statuses in found
    }


def _statuses(frame: pd.DataFrame, arm: str) -> pd.Series[str]:
    return frame.status[frame.arm == arm]


def _stopped_row(
    row: ArmVerdict, frame: pd.DataFrame, baseline: str, verdict: Verdict | None
) -> ArmVerdict:
    counts = _statuses(frame, row.arm).value_counts()
    done = frame[frame.status == RunState.DONE].set_index("seed")
    mine, others = (done.loss[done.arm == arm] for arm in (row.arm, baseline))
    differences = (mine - others).dropna()
    number = {state: int(counts.get(state, 0)) for state in RunState}
    return replace(
        row,
        n_done=number[RunState.DONE],
        n_diverged=number[RunState.DIVERGED],
        n_failed=number[RunState.FAILED],
        n_missing=number[RunState.QUEUED] + number[RunState.RUNNING],
        n_shared=len(differences),
        mean=float(mine.mean()) if len(mine) else None,
        sd=float(mine.std()) if len(mine) > 1 else None,
        effect=float(differences.mean()) if len(differences) else None,
        verdict=verdict,
        verdict_converged=verdict,
        basis=None,
    )
