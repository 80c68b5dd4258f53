"""Parquet files as a corpus: a document per row. Imports pyarrow, so import this only if needed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trainer.errors import CorpusError
from trainer.sources.arrow_columns import find_column, pick, texts_of
from trainer.sources.readers import Part
from trainer.sources.source import PIECE, Text
from trainer.sources.text_errors import unreadable

ROWS = 256
"""Rows per decoded batch."""


class ParquetRows:
    """Reads row groups, and parts of large ones; positions in a file are counted in rows."""

    def __init__(self, path: Path, column: str, share: float) -> None:
        self._path = path
        self._column = column
        self._share = share

    def size(self) -> int:
        with self._open() as file:
            return sum(size for _, size in self._groups(file))

    def parts(self, start: int) -> Iterator[Part]:
        with self._open() as file:
            groups = list(self._groups(file))
        first = 0
        for rows, size in groups:
            parts = max(1, min(rows, size // PIECE))
            for part in range(1, parts + 1):
                end = first + rows * part // parts
                if end > start:
                    yield Part(end, size // parts, partial(self._texts, start, end))
                    start = end
            first += rows

    def _texts(self, start: int, end: int) -> Iterator[Text]:
        with self._open() as file:
            first = 0
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                if first <= start < first + rows:
                    yield from self._rows(file, group, slice(start - first, end - first))
                first += rows

    def _rows(self, file: Any, group: int, rows: slice) -> Iterator[Text]:  # noqa: ANN401  (pyarrow has no types)
        """Some rows of a row group. Rows have no index, so the ones before are read and skipped."""
        at = 0
        path = find_column(str(self._path), file.schema_arrow, self._column)
        try:
            for batch in file.iter_batches(ROWS, [group], [".".join(path)], use_threads=False):
                begin = max(0, rows.start - at)
                wanted = pick(batch, path)[begin : max(begin, rows.stop - at)]
                where = f"{self._path}, row {at + begin} of row group {group} and on"
                yield from texts_of(wanted, self._share, where)
                at += len(batch)
                if at >= rows.stop:
                    return
        except (pa.ArrowException, OSError) as error:
            raise _damaged(self._path, error) from error

    def _groups(self, file: Any) -> Iterator[tuple[int, int]]:  # noqa: ANN401  (as above)
        """For each group that is not empty: its rows, and the bytes of their text."""
        paths = [file.schema.column(index).path for index in range(len(file.schema))]
        leaf = paths.index(self._column)
        for index in range(file.num_row_groups):
            group = file.metadata.row_group(index)
            if group.num_rows:
                yield group.num_rows, group.column(leaf).total_uncompressed_size

    def _open(self) -> Any:  # noqa: ANN401  (as above)
        """Open a file and check that it has the column of text."""
        try:
            # Buffered, so that not a whole row group's bytes are in memory before the first row.
            file = pq.ParquetFile(self._path, buffer_size=2**20, pre_buffer=False)
        except pa.ArrowException as error:
            raise _damaged(self._path, error) from error
        except OSError as error:
            raise unreadable(self._path, error) from error
        find_column(str(self._path), file.schema_arrow, self._column)
        return file


def _damaged(path: Path, error: Exception) -> CorpusError:
    first = str(error).partition("\n")[0]
    return CorpusError(f"{path} is not a parquet file, or is damaged ({first})")
