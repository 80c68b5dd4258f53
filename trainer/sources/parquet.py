"""Parquet files as a corpus: a document per row. Imports pyarrow, so import this only if needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trainer.errors import CorpusError
from trainer.sources.source import PIECE, Text, is_for_testing
from trainer.sources.text_errors import no_column, unreadable

ROWS = 256
"""Rows per decoded batch."""


class ParquetRows:
    """Reads row groups, and parts of large ones; positions in a file are counted in rows."""

    def __init__(self, column: str, share: float) -> None:
        self._column = column
        self._share = share

    def size(self, path: Path) -> int:
        with self._open(path) as file:
            return sum(size for _, size in self._groups(file))

    def cuts(self, path: Path, start: int) -> Iterator[tuple[int, int]]:
        with self._open(path) as file:
            groups = list(self._groups(file))
        first = 0
        for rows, size in groups:
            parts = max(1, min(rows, size // PIECE))
            for part in range(1, parts + 1):
                end = first + rows * part // parts
                if end > start:
                    yield end, size // parts
            first += rows

    def texts(self, path: Path, start: int, end: int) -> Iterator[Text]:
        with self._open(path) as file:
            first = 0
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                if first <= start < first + rows:
                    yield from self._rows(path, file, group, slice(start - first, end - first))
                first += rows

    def _rows(self, path: Path, file: Any, group: int, rows: slice) -> Iterator[Text]:  # noqa: ANN401  (pyarrow has no types)
        """Some rows of a row group. Rows have no index, so the ones before are read and skipped."""
        at = 0
        try:
            for batch in file.iter_batches(ROWS, [group], [self._column], use_threads=False):
                begin = max(0, rows.start - at)
                wanted = batch.column(0)[begin : max(begin, rows.stop - at)]
                where = f"{path}, row {at + begin} of row group {group} and on"
                yield from texts_of(wanted, self._share, where)
                at += len(batch)
                if at >= rows.stop:
                    return
        except (pa.ArrowException, OSError) as error:
            raise _damaged(path, error) from error

    def _groups(self, file: Any) -> Iterator[tuple[int, int]]:  # noqa: ANN401  (as above)
        """For each group that is not empty: its rows, and the bytes of their text."""
        paths = [file.schema.column(index).path for index in range(len(file.schema))]
        leaf = paths.index(self._column)
        for index in range(file.num_row_groups):
            group = file.metadata.row_group(index)
            if group.num_rows:
                yield group.num_rows, group.column(leaf).total_uncompressed_size

    def _open(self, path: Path) -> Any:  # noqa: ANN401  (as above)
        """Open a file and check that it has the column of text."""
        try:
            # Buffered, so that not a whole row group's bytes are in memory before the first row.
            file = pq.ParquetFile(path, buffer_size=2**20, pre_buffer=False)
        except pa.ArrowException as error:
            raise _damaged(path, error) from error
        except OSError as error:
            raise unreadable(path, error) from error
        check_column(str(path), file.schema_arrow, self._column)
        return file


def check_column(where: str, schema: Any, column: str) -> None:  # noqa: ANN401  (as above)
    """Raise CorpusError unless a table has the column and it holds text."""
    if column not in schema.names:
        raise no_column(where, column, schema.names)
    kind = schema.field(column).type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise CorpusError(
            f"{where}: its column {column!r} holds {kind}, not text; name the one with the text as "
            "data.text_column"
        )


def texts_of(column: Any, share: float, where: str) -> Iterator[Text]:  # noqa: ANN401  (as above)
    """The documents in a column of text, without empty rows.

    Raises CorpusError for one that is not UTF-8; `where` names the first row in the message.
    """
    kind = pa.large_binary() if pa.types.is_large_string(column.type) else pa.binary()
    for row, text in enumerate(column.cast(kind).to_pylist()):
        if not text:
            continue
        try:
            text.decode()
        except UnicodeDecodeError as error:
            raise CorpusError(
                f"{where}: the text {row} rows from there is not UTF-8 at its byte {error.start}"
            ) from error
        yield Text(text, is_for_testing(text, share))


def _damaged(path: Path, error: Exception) -> CorpusError:
    first = str(error).partition("\n")[0]
    return CorpusError(f"{path} is not a parquet file, or is damaged ({first})")
