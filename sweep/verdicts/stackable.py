"""Studies whose improvements cannot be stacked, because of their design."""

from __future__ import annotations

from sweep.errors import StudyError
from sweep.terminal.printable import shown_first
from sweep.verdicts.effects import LEAVE_ONE_OUT
from sweep.verdicts.judge import Report

NAMES_LISTED = 12
SEEDS_OFFERED = 5


def check_stackable(report: Report) -> None:
    """Raise StudyError, which says what to do, for a design without effects over the baseline."""
    effects = report.effects
    if effects is None:
        return
    if effects.kind == LEAVE_ONE_OUT:
        raise StudyError(
            f"{report.study}: its arm 'all' is the stack of all interventions already, and its report "
            "says which of them it needs"
        )
    if not effects.of_all_arms:
        return
    better = [
        each.name
        for each in effects.result.effects
        if each.family == "main" and each.verdict == "better"
    ]
    if not better:
        raise StudyError(
            f"{report.study}: no main effect is better, so there is nothing to stack; `sweep report "
            f"{report.study}` has the effects"
        )
    if report.imported:
        raise StudyError(
            f"{report.study} was imported, so its factors cannot be trained together here; the better "
            f"ones are {shown_first(better, NAMES_LISTED)}"
        )
    first = max(report.seeds, default=0) + 1
    seeds = ", ".join(str(seed) for seed in range(first, first + SEEDS_OFFERED))
    raise StudyError(
        f"{report.study}: the effects of a factorial are averages, and no stack is predicted from them; "
        f"to confirm {shown_first(better, NAMES_LISTED)} together, write a study with these "
        f'interventions, kind = "leave-one-out" and new seeds = [{seeds}]'
    )
