"""Optuna: `study.trials_dataframe()`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweep.errors import ResultsError, listed
from sweep.importing.fields import Field
from sweep.importing.tools.export import Asked, Export, varying
from sweep.terminal.printable import shown

if TYPE_CHECKING:
    import pandas as pd

_DIRECTION = (
    "Optuna does not write whether the objective was minimized: if it was maximized, add "
    "--higher-is-better."
)
_LISTED = 8
"""Trials that a remark lists."""


def read_trials(frame: pd.DataFrame, asked: Asked) -> Export | None:
    """Recognise a table of trials. Raises ResultsError to ask for one of several objectives."""
    names = [str(name) for name in frame.columns]
    objectives = [name for name in names if name == "value" or name.startswith("values_")]
    if not {"number", "state"} <= set(names) or not objectives:
        return None
    if len(objectives) > 1 and Field.LOSS not in asked.columns:
        raise ResultsError(
            f"{asked.source} has the objectives {listed(map(shown, objectives))}; choose one: "
            f"--column loss={objectives[0]}"
        )
    settings = [name for name in names if name.startswith("params_")]
    begun = frame[[*settings, objectives[0]]].notna().any(axis="columns")
    remarks = [] if Field.LOSS in asked.columns else [_DIRECTION]
    if not begun.all():
        numbers = ", ".join(frame["number"][~begun].astype("str").head(_LISTED))
        remarks.append(f"Trials without any setting, left out: {numbers}.")
    return Export(
        frame=frame[begun],
        tool="an export of Optuna",
        columns={Field.LOSS: objectives[0], Field.STATUS: "state", Field.RUN: "number"},
        settings=varying(frame, settings),
        remarks=remarks,
    )
