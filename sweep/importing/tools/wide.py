"""Tables with a column for each arm or for each seed, as spreadsheets have them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sweep.importing.fields import Field, recognise
from sweep.importing.tools.export import FILE, Asked, Export
from sweep.study.file import BASELINE

if TYPE_CHECKING:
    import pandas as pd

VALUE = "value"
"""The column of the losses: such a table does not name its metric."""
_SEED = re.compile(r"(?:seed|s)[-_ =]?(\d{1,18})", re.IGNORECASE)


def read_wide(frame: pd.DataFrame, asked: Asked) -> Export | None:
    """Turn a table with a column for each arm or seed into one with a row for each run."""
    present = [str(name) for name in frame.columns]
    known = dict(recognise(present))
    if Field.LOSS in known or {Field.ARM, Field.LOSS} & asked.columns.keys():
        return None
    kept = [name for name in present if name in known.values() or name == FILE]
    others = [name for name in present if name not in kept]
    if set(known) == {Field.ARM} and others and all(map(_SEED.fullmatch, others)):
        return _melted(frame, kept, others, known | {Field.SEED: Field.SEED.value})
    is_wide = set(known) == {Field.SEED} and BASELINE in others and len(others) > 1
    if is_wide and all(_holds_numbers(frame[name]) for name in others):
        return _melted(frame, kept, others, known | {Field.ARM: Field.ARM.value})
    return None


def _melted(
    frame: pd.DataFrame, kept: list[str], others: list[str], columns: dict[Field, str]
) -> Export:
    """Give each cell of `others` a row of its own; empty cells are no runs."""
    (title,) = (name for name in columns.values() if name not in kept)
    long = frame.melt(id_vars=kept, value_vars=others, var_name=title, value_name=VALUE)
    long = long.dropna(subset=VALUE).reset_index(drop=True)
    if title == Field.SEED:
        long[title] = long[title].astype("str").str.extract(_SEED, expand=False)
    remark = (
        f"Each of {len(others)} columns was read as {'a' if title == 'seed' else 'an'} {title}."
    )
    return Export(frame=long, columns={**columns, Field.LOSS: VALUE}, remarks=[remark])


def _holds_numbers(cells: pd.Series[Any]) -> bool:
    """True if every cell is a number or empty, and one is there."""
    import pandas as pd

    numbers = pd.to_numeric(cells, errors="coerce")
    return bool(numbers.notna().any() and (numbers.notna() | cells.isna()).all())
