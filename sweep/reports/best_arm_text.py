"""Sentences on the best arm of a study, and on the rule that it was chosen by."""

from __future__ import annotations

from analysis.tables.table import signed
from sweep.terminal.printable import shown, shown_first
from sweep.verdicts.best_arm import BestArm
from sweep.verdicts.decimals import decimals
from sweep.verdicts.judge import Report

NAMES_LISTED = 12


def best_arm_lines(report: Report, best: BestArm) -> list[str]:
    """Say which arm is the best, by which rule, and what is not known."""
    lines = [f"The best arm of {report.study} by its verdicts is {_reason(report, best)}."]
    if best.guarded:
        lines.append(f"Better, but not by its guards: {shown_first(best.guarded, NAMES_LISTED)}.")
    if best.undecided:
        lines.append(f"Undecided, and so not chosen: {shown_first(best.undecided, NAMES_LISTED)}.")
    return lines


def _reason(report: Report, best: BestArm) -> str:
    if best.is_baseline:
        return f"{shown(best.arm.name)}, the baseline: no change was shown to be better"
    effect = f"{signed(best.arm.effect, decimals(report))} {report.metric.unit}".strip()
    if not best.also_better:
        return f"{shown(best.arm.name)}, the only one that is better than the baseline ({effect})"
    return (
        f"{shown(best.arm.name)}, whose effect is the largest of those that are better than the "
        f"baseline ({effect}). It was not tested against the others of these, "
        f"{shown_first(best.also_better, NAMES_LISTED)}"
    )


def no_best_arm(study: str) -> str:
    """Say that there is no best arm, and what to do."""
    return (
        f"No arm of {study} has a verdict yet, so that none is the best. `sweep report {study}` says "
        f"what is missing; `sweep export ARM/SEED --study {study} --to DIR` exports a run of any arm."
    )
