"""Insertion of runs by the hundred thousand into the tables of the store."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table, bindparam, insert, update
from sqlalchemy.sql.compiler import SQLCompiler

from sweep.importing.known_runs import family_of
from sweep.importing.run_table import RunTable
from sweep.importing.steps import step_text
from sweep.store.schema import members, runs
from sweep.store.states import RunState

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

BATCH = 20_000
"""Rows that are inserted at once."""


@dataclass(frozen=True, kw_only=True)
class NewRuns:
    """Runs to be inserted; each has a seed."""

    ids: NDArray[np.bytes_]
    table: RunTable

    def batches(self) -> Iterator[NewRuns]:
        """Yield the runs, BATCH at a time."""
        import numpy as np

        for first in range(0, len(self.table), BATCH):
            places = np.arange(first, min(first + BATCH, len(self.table)))
            yield NewRuns(ids=self.ids[places], table=self.table.take(places))


def insert_runs(connection: Connection, study: str, new: NewRuns, further: pd.DataFrame) -> None:
    """Insert runs. `further` has the other columns of the file, one row per row of the file."""
    families = {arm: family_of(study, arm) for arm in new.table.arm.unique()}
    for batch in new.batches():
        table = batch.table
        columns = _outcomes(batch, further) | {
            "id": batch.ids.astype("U32").tolist(),
            "init_seed": table.init_seed.tolist(),
            "order_seed": table.order_seed.tolist(),
            "dropout_seed": table.dropout_seed.tolist(),
            "recipe": ["{}"] * len(table),
            "corpus_hash": [""] * len(table),
            "family": table.arm.map(families).tolist(),
        }
        _insert(connection, runs, columns)


def update_runs(connection: Connection, changed: NewRuns, further: pd.DataFrame) -> None:
    """Give known runs the results that a file has for them."""
    for batch in changed.batches():
        columns = _outcomes(batch, further)
        statement = update(runs).where(runs.c.id == bindparam("run_id"))
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
        compiled = statement.values(values).compile(dialect=connection.dialect)
        given = {f"new_{name}": column for name, column in columns.items()}
        _execute(connection, compiled, given | {"run_id": batch.ids.astype("U32").tolist()})


def _outcomes(batch: NewRuns, further: pd.DataFrame) -> dict[str, list[Any]]:
    """Return the columns of the runs' results, as driver values."""
    table = batch.table
    return {
        "cause": _or_none(table.cause, table.cause.notna()),
        "state": [state.value for state in table.state],
        "test_loss": _or_none(table.loss, table.state == RunState.DONE),
        "provenance": [_provenance_json(step) for step in table.step.tolist()],
        "further": _further_json(further, table),
    }


def insert_members(connection: Connection, new: NewRuns, arm_ids: Mapping[str, int]) -> None:
    """Insert the runs into their arms."""
    for batch in new.batches():
        columns = {
            "arm_id": batch.table.arm.map(arm_ids).tolist(),
            "seed": batch.table.seed.tolist(),
            "run_id": batch.ids.astype("U32").tolist(),
        }
        _insert(connection, members, columns)


def _insert(connection: Connection, table: Table, columns: Mapping[str, list[Any]]) -> None:
    """Insert rows, given as columns of driver values: SQLAlchemy is slow with a million rows."""
    compiled = insert(table).compile(dialect=connection.dialect, column_keys=list(columns))
    _execute(connection, compiled, columns)


def _execute(
    connection: Connection, compiled: SQLCompiler, columns: Mapping[str, list[Any]]
) -> None:
    """Execute a statement once for each row of the columns."""
    rows: list[Any]
    if compiled.positional:
        order = compiled.positiontup or list(columns)
        rows = list(zip(*(columns[name] for name in order), strict=True))
    else:
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if rows:
        connection.exec_driver_sql(str(compiled), rows)


def _or_none(column: pd.Series[Any], present: pd.Series[bool]) -> list[Any]:
    return column.astype(object).where(present, None).tolist()


def _provenance_json(step: float) -> str | None:
    """Return what is known of how a run came about: the step that its loss is from."""
    return None if math.isnan(step) else json.dumps({"last_step": step_text(step)})


def _further_json(further: pd.DataFrame, table: RunTable) -> list[str | None]:
    """Return the other columns of each run as JSON, without empty cells."""
    names = list(further.columns)
    if not names:
        return [None] * len(table)
    cells = further.iloc[table.row.to_numpy() - 1].itertuples(index=False, name=None)
    return [
        json.dumps({k: _json_value(v) for k, v in zip(names, row, strict=True) if _is_present(v)})
        for row in cells
    ]


def _is_present(cell: Any) -> bool:  # noqa: ANN401  (any cell of a file)
    return cell is not None and cell == cell  # noqa: PLR0124  (NaN is not)


def _json_value(cell: Any) -> Any:  # noqa: ANN401  (as above)
    if isinstance(cell, bool | int | str):
        return cell
    if isinstance(cell, float) and abs(cell) < float("inf"):
        return cell
    return str(cell)
