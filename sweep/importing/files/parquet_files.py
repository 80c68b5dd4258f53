"""Reading of Parquet: index levels are columns, and structs are columns with dotted names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sweep.errors import ResultsError
from sweep.importing.files.table import Table, check_size
from sweep.terminal.printable import shown

if TYPE_CHECKING:
    import pyarrow as pa

_MAX_DEPTH = 8
"""Levels of structs that become columns."""


def read_parquet(content: bytes, path: Path) -> Table:
    """Read a table. Raises ResultsError for a file that is broken or too large."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(pa.BufferReader(content))
        check_size(path, file.metadata.num_rows, file.metadata.num_columns)
        cells = file.read()
    except (pa.ArrowException, OSError) as error:
        raise ResultsError(f"{path} is not a whole Parquet file: {shown(str(error))}") from error
    cells = cells.replace_schema_metadata(None)  # else pandas takes the index levels away
    for _ in range(_MAX_DEPTH):
        if not any(pa.types.is_struct(field.type) for field in cells.schema):
            break
        cells = cells.flatten()
    check_size(path, cells.num_rows, cells.num_columns)
    return Table(cells=_with_plain_text(cells))


def _with_plain_text(cells: pa.Table) -> pa.Table:
    """Return text of every type as the one type that is read on."""
    import pyarrow as pa

    for place, field in enumerate(cells.schema):
        kind = field.type
        inner = kind.value_type if pa.types.is_dictionary(kind) else kind
        texts = (pa.types.is_large_string, pa.types.is_string_view, pa.types.is_string)
        if inner != kind or any(is_text(inner) for is_text in texts[:2]):
            target = pa.string() if any(is_text(inner) for is_text in texts) else inner
            cells = cells.set_column(place, field.name, cells.column(place).cast(target))
    return cells
