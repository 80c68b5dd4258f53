"""Runs by the hundred thousand into the tables of the store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table, insert

from sweep.store.schema import members, runs
from sweep.study.file import STREAM_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

BATCH = 20_000
"""Rows that are inserted at once."""


def insert_runs(
    connection: Connection, study: str, fresh: pd.DataFrame, further: pd.DataFrame
) -> None:
    """The runs of a study; `further` are the other columns of the file, by its rows."""
    families = {arm: family_of(study, arm) for arm in fresh["arm"].unique()}
    for some in _batches(fresh):
        known = some["status"] == "done"
        _insert(
            connection,
            runs,
            {
                **{name: some[name].tolist() for name in ("id", *STREAM_COLUMNS, "cause")},
                "recipe": ["{}"] * len(some),
                "corpus_hash": [""] * len(some),
                "family": some["arm"].map(families).tolist(),
                "state": some["status"].tolist(),
                "test_loss": some["loss"].astype(object).where(known, None).tolist(),
                "further": _further(further, some),
            },
        )


def _insert(connection: Connection, table: Table, columns: Mapping[str, list[Any]]) -> None:
    """Insert rows, given as columns of what the driver takes: SQLAlchemy is slow with a million."""
    compiled = insert(table).compile(dialect=connection.dialect, column_keys=list(columns))
    rows: list[Any]
    if compiled.positional:
        order = compiled.positiontup or list(columns)
        rows = list(zip(*(columns[name] for name in order), strict=True))
    else:
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if rows:
        connection.exec_driver_sql(str(compiled), rows)


def family_of(study: str, arm: str) -> str:
    """What the runs of an arm have in common, in place of a recipe."""
    return hashlib.sha256(f"imported\0{study}\0{arm}".encode()).hexdigest()


def insert_members(connection: Connection, fresh: pd.DataFrame, ids: Mapping[str, int]) -> None:
    """Which runs are of which arm, whose `ids` are by name."""
    table = fresh.assign(arm_id=fresh["arm"].map(ids), run_id=fresh["id"])
    for some in _batches(table):
        names = ("arm_id", "seed", "run_id")
        _insert(connection, members, {name: some[name].tolist() for name in names})


def _batches(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for first in range(0, len(frame), BATCH):
        yield frame.iloc[first : first + BATCH]


def _further(table: pd.DataFrame, some: pd.DataFrame) -> list[str | None]:
    """The other columns of some runs as JSON, without the cells that are empty."""
    names = list(table.columns)
    if not names:
        return [None] * len(some)
    cells = table.iloc[some["row"].to_numpy() - 1].itertuples(index=False, name=None)
    return [
        json.dumps({k: _plain(v) for k, v in zip(names, row, strict=True) if _is_there(v)})
        for row in cells
    ]


def _is_there(cell: Any) -> bool:  # noqa: ANN401  (whatever a file holds)
    return cell is not None and cell == cell  # noqa: PLR0124  (NaN is not)


def _plain(cell: Any) -> Any:  # noqa: ANN401  (as above)
    if isinstance(cell, bool | int | str):
        return cell
    if isinstance(cell, float) and abs(cell) < float("inf"):
        return cell
    return str(cell)
