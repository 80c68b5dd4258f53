"""The baseline of an imported study: as asked for, as it was before, or the arm of that name."""

from __future__ import annotations

from collections.abc import Sequence

from sweep.errors import did_you_mean
from sweep.importing.cells import plain_name
from sweep.importing.rules import Reading
from sweep.importing.settings import Settings
from sweep.store.plan_content import PlanContent
from sweep.study.names import BASELINE
from sweep.terminal.printable import shown, shown_first

ARMS_LISTED = 20


def choose_baseline(
    settings: Settings, earlier: PlanContent | None, arms: Sequence[str], reading: Reading
) -> str:
    """Return the arm that the others are compared with; the only one if there is one.

    `arms` are those of the file. A name whose numbers are written otherwise is found. Asks if there
    is no such arm.
    """
    names: list[str] = list(dict.fromkeys([*(earlier.arms if earlier else ()), *arms]))
    wanted = settings.baseline or (earlier.baseline if earlier else BASELINE)
    if wanted in names:
        return wanted
    for name in names:
        if plain_name(name) == plain_name(wanted):
            return name
    if len(names) == 1 and settings.baseline is None:
        return names[0]
    reading.questions.ask(
        f"{reading.source} has no arm {shown(wanted)} to compare the others with"
        f"{did_you_mean(wanted, names)} (it has: {shown_first(names, ARMS_LISTED)}); name it with --baseline NAME"
    )
    return wanted
