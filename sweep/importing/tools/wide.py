"""Tables with a column for each arm or for each seed, as spreadsheets have them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sweep.importing.fields import Field, recognise
from sweep.importing.tools.export import FILE, Asked, Export
from sweep.study.names import BASELINE

if TYPE_CHECKING:
    import pandas as pd

VALUE = "value"
"""The column of the losses: such a table does not name its metric."""
_SEED = re.compile(r"(?:(?:seed|s)[-_ =]?)?(\d{1,18})", re.IGNORECASE)
_SUMMARY = re.compile(
    r"(mean|avg|average|median|std|sd|stdev|stddev|sem|std[-_ ]?err|diff|difference|p[-_ ]?value)",
    re.IGNORECASE,
)
"""Columns and rows of a spreadsheet that are made of the others."""


def read_wide(frame: pd.DataFrame, asked: Asked) -> Export | None:
    """Turn a table with a column for each arm or seed into one with a row for each run."""
    present = [str(name) for name in frame.columns]
    known = dict(recognise(present))
    if Field.LOSS in known or {Field.ARM, Field.LOSS} & asked.columns.keys():
        return None
    kept = [name for name in present if name in known.values() or name == FILE]
    summaries = [name for name in present if name not in kept and _SUMMARY.fullmatch(name)]
    others = [name for name in present if name not in (*kept, *summaries)]
    rows = _summary_rows(frame, known)
    told = [*summaries, *(f"row {n + 1}" for n, summary in enumerate(rows) if summary)]
    remarks = [f"Left out, for it is made of other cells: {', '.join(told)}."] if told else []
    runs = frame[[not summary for summary in rows]].drop(columns=summaries)
    if set(known) == {Field.ARM} and others and all(map(_SEED.fullmatch, others)):
        return _melted(runs, kept, others, known | {Field.SEED: Field.SEED.value}, remarks)
    is_wide = set(known) == {Field.SEED} and BASELINE in others and len(others) > 1
    if is_wide and all(_holds_numbers(frame[name]) for name in others):
        return _melted(runs, kept, others, known | {Field.ARM: Field.ARM.value}, remarks)
    return None


def _summary_rows(frame: pd.DataFrame, known: Mapping[Field, str]) -> list[bool]:
    """Return True for rows with a mean or the like in place of a seed."""
    seed = known.get(Field.SEED)
    cells = [None] * len(frame) if seed is None else frame[seed].tolist()
    return [_SUMMARY.fullmatch(str(cell).strip()) is not None for cell in cells]


def _melted(
    frame: pd.DataFrame,
    kept: list[str],
    others: list[str],
    columns: dict[Field, str],
    remarks: list[str],
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
    return Export(frame=long, columns={**columns, Field.LOSS: VALUE}, remarks=[remark, *remarks])


def _holds_numbers(cells: pd.Series[Any]) -> bool:
    """True if every cell is a number or empty, and one is there."""
    import pandas as pd

    numbers = pd.to_numeric(cells, errors="coerce")
    return bool(numbers.notna().any() and (numbers.notna() | cells.isna()).all())
