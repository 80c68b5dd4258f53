"""What a report says about diverged runs."""

from __future__ import annotations

from sweep.terminal.printable import harmless
from sweep.verdicts.judge import ArmReport, Report
from trainer.words import shortened

MAX_ARMS = 8
"""Unstable arms whose reason is given."""


def any_diverged(report: Report) -> bool:
    """True if a run diverged."""
    return any(arm.result.n_diverged for arm in report.arms)


def unstable_lines(report: Report) -> list[str]:
    """Why arms are unstable; empty if none is."""
    reasons = [
        f"{harmless(arm.name)} ({_reason(arm)})" for arm in report.arms if arm.result.instability
    ]
    return [f"Unstable: {shortened(reasons, MAX_ARMS)}."] if reasons else []


def _reason(arm: ArmReport) -> str:
    result = arm.result
    match result.instability:
        case "more often":
            return (
                f"diverges more often than the baseline, p adj. {_p(result.p_divergence_adjusted)}"
            )
        case "every run":
            return "every run diverged"
        case _:
            return (
                f"{result.verdict_converged} only where it converged: with diverged runs as the "
                f"worst, a rank test has p {_p(result.p_rank_claim)}"
            )


def _p(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2g}"
