"""Exports of W&B and MLflow brought into the usual shape: a row per run or step."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sweep.importing.fields import Field

if TYPE_CHECKING:
    import pandas as pd

_NAME_WITH_SEED = re.compile(r"^(.*\S)[-_ ./,]+seed[-_ =]?(\d+)$", re.IGNORECASE)
"""A run's name that ends in its seed: `clip-seed3`, `clip_seed_3`, `clip, seed=3`."""
_DICTIONARY_COLUMNS = ("config", "summary")
"""Columns of W&B's API that hold a dictionary in each cell."""


def split_run_names(names: pd.Series[Any]) -> Mapping[Field, pd.Series[Any]]:
    """Split run names into arm and seed; nothing is split if no name ends in a seed.

    A name without a seed is the arm itself.
    """
    parts = names.astype(str).str.extract(_NAME_WITH_SEED)
    arm, seed = parts[0], parts[1]
    if seed.isna().all():
        return {}
    return {Field.ARM: arm.fillna(names), Field.SEED: seed}


def melt_panel(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn a W&B panel, with a column `RUN - METRIC` per run, into rows, one per run and step.

    Any other table is returned unchanged.
    """
    names = [str(name) for name in frame.columns]
    curves = [
        name for name in names if " - " in name and not name.endswith(("__MIN", "__MAX", "_step"))
    ]
    metrics = {name.rpartition(" - ")[2] for name in curves}
    if names[0] not in {"Step", "_step"} or len(metrics) != 1:
        return frame
    steps = frame.rename(columns={names[0]: Field.STEP.value})
    long = steps.melt(
        id_vars=Field.STEP.value, value_vars=curves, var_name="Name", value_name=Field.LOSS.value
    )
    return long.assign(Name=long["Name"].str.rpartition(" - ")[0])


def expand_dictionaries(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn cells that are dictionaries, as W&B's API exports them, into columns."""
    import pandas as pd

    for name in _DICTIONARY_COLUMNS:
        if name not in frame or not frame[name].astype(str).str.startswith("{").all():
            continue
        cells = [_parse_dictionary(cell) for cell in frame[name]]
        if all(isinstance(cell, dict) for cell in cells):
            inner = pd.DataFrame(cells, index=frame.index).add_prefix(f"{name}.")
            frame = frame.drop(columns=name).join(inner.astype(object).where(inner.notna(), None))
    return frame


def _parse_dictionary(text: str) -> Any:  # noqa: ANN401  (any literal)
    """Parse a dictionary written by Python or as JSON; None if it is neither."""
    finite = re.sub(r"(?<=[:\s,\[])-?(nan|inf)\b", "'\\1'", text)
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text if read is json.loads else finite)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return None
