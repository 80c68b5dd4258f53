"""Guild AI: `guild compare --csv FILE`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweep.importing.fields import Field
from sweep.importing.tools.export import Asked, Export, varying

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("run", "operation", "started", "time", "status", "label")
"""The first columns; flags are between them and `step`, scalars after it."""


def read_runs(frame: pd.DataFrame, asked: Asked) -> Export | None:  # noqa: ARG001  (as others)
    """Recognise a table of runs. A run that was terminated was killed by its user.

    A label is the name of an arm, unless it lists the flags of the run, which is Guild's default.
    """
    names = [str(name) for name in frame.columns]
    if not {"run", "operation", "started", "status"} <= set(names):
        return None
    columns = {Field.RUN: "run", Field.STATUS: "status"}
    labels = frame.get("label")
    if labels is not None and labels.notna().all() and not labels.str.contains("=").any():
        columns[Field.ARM] = "label"
    end = names.index("step") if "step" in names else len(names)
    flags = [name for name in names[:end] if name not in (*_COLUMNS, "exit_status", "file")]
    killed = frame["status"].astype(object).replace("terminated", "killed")
    return Export(
        frame=frame.assign(status=killed),
        tool="an export of Guild",
        columns=columns,
        settings=varying(frame, flags),
    )
