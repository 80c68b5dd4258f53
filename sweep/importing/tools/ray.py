"""Ray Tune: `ResultGrid.get_dataframe()`, and `progress.csv` or `result.json` of trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweep.importing.fields import Field
from sweep.importing.tools.export import Asked, Export, present, varying

if TYPE_CHECKING:
    import pandas as pd


def read_trials(frame: pd.DataFrame, asked: Asked) -> Export | None:  # noqa: ARG001  (as others)
    """Recognise results of trials: one row each, or one per training iteration."""
    names = [str(name) for name in frame.columns]
    if not {"trial_id", "training_iteration"} <= set(names):
        return None
    columns = {Field.STEP: "training_iteration", Field.RUN: "trial_id"}
    settings = [name for name in names if name.startswith(("config/", "config."))]
    return Export(
        frame=_with_status(frame),
        tool="an export of Ray Tune",
        columns=present(frame, columns),
        settings=varying(frame, settings),
    )


def _with_status(frame: pd.DataFrame) -> pd.DataFrame:
    """Add a status if some trials were done, by their last row, and some were not."""
    if "done" not in frame or "status" in frame:
        return frame
    done = frame["done"].astype("str").str.lower().eq("true").groupby(frame["trial_id"])
    ended = done.transform("any")
    if not ended.any() or ended.all():
        return frame
    return frame.assign(status=ended.map({True: "done", False: "unfinished"}))
