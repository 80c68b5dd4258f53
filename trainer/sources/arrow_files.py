"""Arrow files as a corpus, as `datasets` saves them: a document per row.

Imports pyarrow, so import this only if needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from trainer.errors import CorpusError
from trainer.sources.arrow_columns import find_column, pick, texts_of
from trainer.sources.readers import Part
from trainer.sources.source import PIECE, Text
from trainer.sources.text_errors import unreadable

FILE_MAGIC = b"ARROW1"
"""The first bytes of Arrow's file format (Feather); `datasets` writes the stream format."""
END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
"""The last bytes of the stream format. pyarrow reads a stream without them as if it were whole."""


class ArrowRows:
    """Reads batches from a memory-mapped file; positions in a file are counted in rows."""

    def __init__(self, path: Path, column: str, share: float) -> None:
        self._path = path
        self._column = column
        self._share = share

    def size(self) -> int:
        return sum(text.nbytes for _, text in self._batches(0))

    def parts(self, start: int) -> Iterator[Part]:
        held: list[tuple[int, Any]] = []
        size = 0
        for row, text in self._batches(start):
            held.append((row, text))
            size += text.nbytes
            start = row + len(text)
            if size >= PIECE:
                yield Part(start, size, partial(self._texts, held))
                held, size = [], 0
        if held:
            yield Part(start, size, partial(self._texts, held))

    def _texts(self, held: list[tuple[int, Any]]) -> Iterator[Text]:
        for row, text in held:
            yield from texts_of(text, self._share, f"{self._path}, row {row} and on")

    def _batches(self, start: int) -> Iterator[tuple[int, Any]]:
        """The text of all rows after `start` in slices of about PIECE, each with its first row."""
        row = 0
        try:
            source = pa.memory_map(str(self._path))
            is_file = source.read_at(len(FILE_MAGIC), 0) == FILE_MAGIC
            if not is_file and not self._ends(source):
                raise _damaged(self._path, "it is truncated")
            opened = pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source)
            path = find_column(str(self._path), opened.schema, self._column)
            batches = map(opened.get_batch, range(opened.num_record_batches)) if is_file else opened
            for batch in batches:
                text = pick(batch, path)
                rows = max(1, len(text) * PIECE // max(1, text.nbytes))
                for at in range(0, len(text), rows):
                    if row + at >= start:
                        yield row + at, text[at : at + rows]
                row += len(text)
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno:
                raise unreadable(self._path, error) from error
            raise _damaged(self._path, str(error).partition("\n")[0]) from error

    def _ends(self, source: Any) -> bool:  # noqa: ANN401  (pyarrow has no types)
        size = len(END_OF_STREAM)
        whole = int(source.size())
        return whole >= size and source.read_at(size, whole - size) == END_OF_STREAM


def _damaged(path: Path, reason: str) -> CorpusError:
    return CorpusError(
        f"{path} is not an Arrow file, or is damaged ({reason}); copy or save it again"
    )
