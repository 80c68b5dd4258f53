"""The result of a stack as JSON values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sweep.reports.document import finite
from sweep.verdicts.stack_choice import LeftOut, LeftOutReason
from sweep.verdicts.stack_result import NotTrained, StackResult


def stack_json(result: StackResult) -> dict[str, Any]:
    """JSON values of a stack; None where a field does not apply."""
    return {
        "study": result.study,
        "plan_hash": result.plan_hash,
        "stack": result.stack,
        "stack_plan_hash": result.stack_plan_hash,
        "alpha": result.alpha,
        "direction": result.direction.value,
        "seeds": list(result.seeds),
        "members": [finite(asdict(member)) for member in result.members],
        "left_out": {arm: left_out_words(each) for arm, each in result.left_out.items()},
        "predicted": asdict(result.predicted) if result.predicted else None,
        "confirmed": finite(asdict(result.confirmed)) if result.confirmed else None,
        "gap": asdict(result.gap) if result.gap else None,
        "best": asdict(result.best) if result.best else None,
        "reason": not_trained_words(result),
    }


def left_out_words(arm: LeftOut) -> str:
    """Why an arm is no member of the stack."""
    match arm.reason:
        case LeftOutReason.NOT_BETTER:
            return arm.verdict or ""
        case LeftOutReason.IS_STACK:
            return "a stack itself"
        case LeftOutReason.ALTERNATIVE:
            return f"an alternative to {arm.member}, which promises more"


def not_trained_words(result: StackResult) -> str | None:
    """Why a stack was not trained; None if it was."""
    match result.not_trained:
        case None:
            return None
        case NotTrained.NO_IMPROVEMENT:
            return "no intervention is shown to be better than the baseline"
        case NotTrained.IMPORTED:
            return (
                f"{result.study} was imported, so nothing can be trained, and it is unknown which "
                "of its arms exclude each other"
            )
        case NotTrained.DRY_RUN:
            return "this was a dry run"
