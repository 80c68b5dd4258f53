"""A file of results as a table of unparsed cells, and how large such a table may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.errors import ResultsError

if TYPE_CHECKING:
    import pyarrow as pa

MAX_COLUMNS = 20_000
MAX_CELLS = 200_000_000
"""Rows times columns, with the empty cells."""
BATCH_CELLS = 4_000_000
"""Cells that are held as Python objects at a time."""

Record = Mapping[str, str | None]
"""A row: its cells by column."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """The cells of one file. A cell is text, or a number where a Parquet file has numbers."""

    cells: pa.Table
    one_run: bool = False
    """True for a file that holds one run, whose name is that of the file."""
    is_blank: bool = False
    """True for a log without any line that matches."""
    remarks: Sequence[str] = ()
    """What was noticed, in sentences."""


def table_of(records: Iterable[Record], path: Path) -> pa.Table:
    """Return a table with a row per record. Raises ResultsError for too many columns or cells."""
    import pyarrow as pa

    batches: list[pa.Table] = []
    names: dict[str, None] = {}
    rows: list[Record] = []
    for count, record in enumerate(records, 1):
        rows.append(record)
        names.update(dict.fromkeys(record))
        check_size(path, count, len(names))
        if len(rows) * len(names) >= BATCH_CELLS:
            batches.append(_batch(rows))
            rows = []
    batches.append(_batch(rows))
    return pa.concat_tables(batches, promote_options="default")


def check_size(path: Path, rows: int, columns: int) -> None:
    """Raise ResultsError for a table that would not fit into memory."""
    if columns > MAX_COLUMNS:
        raise ResultsError(
            f"{path} has more than {MAX_COLUMNS} columns; a file of results has one for each "
            "setting and metric of a run, so leave the others out"
        )
    if rows * columns > MAX_CELLS:
        raise ResultsError(
            f"{path} has {columns} columns in more than {MAX_CELLS // columns} rows; leave columns "
            "out, or keep the last rows of each run"
        )


def _batch(rows: Sequence[Record]) -> pa.Table:
    import pyarrow as pa

    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table(
        {name: pa.array([row.get(name) for row in rows], pa.string()) for name in names}
    )
