"""The history of a plan in sentences and as JSON."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sweep.history.changes import ChangeKind, PlanChange
from sweep.history.history import FileState, PlanHistory
from sweep.history.withdrawn import WithdrawnArm
from sweep.terminal.printable import harmless, shown
from sweep.verdicts.family_growth import FamilyGrowth
from trainer.words import with_rest

MAX_CHANGES = 12
"""Changes of a plan that are listed."""


def history_json(history: PlanHistory) -> dict[str, Any]:
    """JSON values of a plan's history."""
    return {
        "stored": history.stored,
        "first_stored": history.first_stored,
        "earlier": history.earlier,
        "changes": [_change_json(change) for change in history.changes],
        "path": history.path,
        "file": history.file.value,
        "file_changes": [_change_json(change) for change in history.file_changes],
        "existed": asdict(history.existed) if history.existed else None,
        "looks": {arm: look.json for arm, look in history.looks.items()},
        "withdrawn": [_withdrawn_json(arm) for arm in history.withdrawn],
    }


def _change_json(change: PlanChange) -> dict[str, Any]:
    return {
        "what": change.what,
        "before": change.before,
        "after": change.after,
        "words": change_text(change),
    }


def _withdrawn_json(arm: WithdrawnArm) -> dict[str, Any]:
    baseline = "the current baseline" if arm.in_family else "another baseline"
    return {**asdict(arm), "reason": f"it was compared with {baseline}"}


def change_text(change: PlanChange) -> str:
    """`alpha 0.05 → 0.1`, `arm clip removed`."""
    if change.kind is ChangeKind.CHANGED:
        return f"{change.what} {_value_text(change.before)} → {_value_text(change.after)}"
    return f"{change.what} {change.kind.value}"


def changes_text(changes: Sequence[PlanChange]) -> str:
    """`alpha 0.05 → 0.1; arm x removed; seeds 5 → 7`, at most `MAX_CHANGES` of them."""
    return "; ".join(with_rest([change_text(change) for change in changes], MAX_CHANGES))


def _value_text(value: Any) -> str:  # noqa: ANN401  (JSON)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    if isinstance(value, list):
        return ", ".join(_value_text(each) for each in value) or "none"
    return f"{value:g}" if isinstance(value, float) else harmless(str(value)) or shown(value)


def plan_lines(history: PlanHistory) -> list[str]:
    """Changes of the plan and of the study's file, and runs that existed before the plan."""
    lines = _file_lines(history)
    if history.changes:
        began = time.strftime("%Y-%m-%d %H:%M", time.localtime(history.first_stored))
        lines.append(
            f"This is not the plan that the study began with ({began}): "
            f"{changes_text(history.changes)}."
        )
    if (existed := history.existed) and existed.runs:
        lines.append(
            f"{existed.runs} of {existed.of} runs existed before this plan: their results could be "
            "known when it was made."
        )
    return lines


def growth_lines(growth: FamilyGrowth | None) -> list[str]:
    """The verdicts that differ only because the family has grown."""
    if growth is None:
        return []
    changed = [
        f"{harmless(each.arm)} is {each.after} and would be {each.before}"
        for each in growth.changed
    ]
    words = "; ".join(with_rest(changed, MAX_CHANGES))
    grown = f"The family has grown from {growth.before} to {growth.after} questions."
    return [f"{grown} With the {growth.before} and the same runs: {words}."]


def _file_lines(history: PlanHistory) -> list[str]:
    path = harmless(history.path)
    match history.file:
        case FileState.AS_PLANNED | FileState.STACK:
            return []
        case FileState.IMPORTED:
            return [f"Imported from {path}."]
        case FileState.GONE:
            return [f"{path} is gone: this is the plan last run."]
        case FileState.UNREADABLE:
            return [f"{path} is not a valid study any more: this is the plan last run."]
        case FileState.CHANGED:
            new = f"the new one ({changes_text(history.file_changes)})"
            changed = f"{path} has changed since: this is the plan last run"
            return [f"{changed}; `sweep run {path}` trains and judges {new}."]


def withdrawn_lines(history: PlanHistory) -> list[str]:
    """Arms that were removed from the study, and whether they count in the family."""
    lines = []
    for in_family, end in (
        (True, "They count in the family: a question that was asked cannot be taken back."),
        (False, "They do not count in the family: their baseline was another one."),
    ):
        arms = [_withdrawn_text(arm) for arm in history.withdrawn if arm.in_family is in_family]
        if arms:
            lines.append(f"Tried, and no longer in the study: {', '.join(arms)}. {end}")
    return lines


def _withdrawn_text(arm: WithdrawnArm) -> str:
    ended = {"done": arm.n_done, "diverged": arm.n_diverged, "failed": arm.n_failed}
    counts = ", ".join(f"{number} {word}" for word, number in ended.items() if number)
    mean = "" if arm.mean is None else f", mean {arm.mean:.4f}"
    return f"{harmless(arm.arm)} ({counts}{mean})"
