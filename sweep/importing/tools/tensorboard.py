"""TensorBoard: a CSV for each run and scalar, and runs with a folder for each split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweep.importing.fields import TEST_SPLITS, Field
from sweep.importing.tools.export import FILE, Asked, Export

if TYPE_CHECKING:
    import pandas as pd

_DOWNLOAD = ["Wall time", "Step", "Value"]
_FILE_NAME = r"^(?:run-)?(.+?)-tag-(.+)$"
"""`run-clip-seed1-tag-val_loss`: the name that the browser gives to the file of a scalar."""
_SPLITS = TEST_SPLITS | {"train", "training"}


def read_downloads(frame: pd.DataFrame, asked: Asked) -> Export | None:  # noqa: ARG001  (as others)
    """Join files of single scalars to a table with a row per run and step, a column per scalar."""
    if [name for name in frame.columns if name != FILE] != _DOWNLOAD:
        return None
    names = frame[FILE].astype("str").str.extract(_FILE_NAME)
    runs, tags = names[0].fillna(frame[FILE]), names[1].fillna("Value")
    tidy = frame.assign(**{FILE: runs, "tag": tags}).drop(columns="Wall time")
    wide = tidy.pivot_table(
        index=[FILE, "Step"], columns="tag", values="Value", aggfunc="last", sort=False
    )
    tag = str(wide.columns[0])
    return Export(
        frame=wide.reset_index().rename_axis(columns=None),
        tool="scalars of TensorBoard",
        columns={
            Field.STEP: "Step",
            Field.RUN: FILE,
            **({Field.LOSS: tag} if len(wide.columns) == 1 else {}),
        },
    )


def read_splits(frame: pd.DataFrame, asked: Asked) -> Export | None:  # noqa: ARG001  (as others)
    """Join the folders `RUN/train` and `RUN/validation` of a run: their scalars are its columns."""
    import pandas as pd

    if FILE not in frame:
        return None
    parts = frame[FILE].astype("str").str.rpartition("/")
    if not (parts[2].str.lower().isin(_SPLITS) & (parts[0] != "")).all() or parts[2].nunique() < 2:
        return None
    tables = []
    for split, rows in frame.assign(**{FILE: parts[0]}).groupby(parts[2], sort=False):
        scalars = {
            name: f"{split}/{name}" for name in rows.columns if name not in {FILE, "step", "Step"}
        }
        tables.append(rows.rename(columns=scalars).dropna(axis="columns", how="all"))
    return Export(frame=pd.concat(tables, ignore_index=True), tool="runs of TensorBoard")
