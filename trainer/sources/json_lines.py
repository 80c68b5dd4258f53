"""JSON Lines as a corpus: a document per line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from trainer.errors import CorpusError
from trainer.sources.compression import without_compression
from trainer.sources.encoding_errors import not_utf8
from trainer.sources.nested_keys import MISSING, names_in, value_of
from trainer.sources.readers import BOM, Part
from trainer.sources.source import PIECE, Text, is_for_testing
from trainer.sources.text_errors import a_list, an_object, no_column, repeated_column
from trainer.sources.text_files import Ranges, TextFile

MAX_LINE_BYTES = 2**30
"""Longest line. A line is parsed as a whole, which takes several times as much memory."""


class JsonLines:
    """One JSON object per line; one of its fields is the document."""

    def __init__(self, file: TextFile, column: str, share: float) -> None:
        self._file = file
        self._column = column
        self._keys = [f'"{key}"'.encode() for key in {*column.split("."), column}]
        """The keys of the column as they are written; one that occurs twice may be repeated."""
        self._share = share

    def size(self) -> int:
        return self._file.size

    def parts(self, start: int) -> Iterator[Part]:
        size, ranges = self.size(), self._file.ranges(start)
        if start == 0:
            self._check_column()
        while start < size:
            end = self._end_of_line(ranges, min(start + PIECE, size) - 1)
            yield Part(end, end - start, partial(self._texts, ranges.reader(start, end), start))
            start = end

    def _end_of_line(self, ranges: Ranges, at: int) -> int:
        """The end of the line that has the byte at some position."""
        last = at + MAX_LINE_BYTES
        while at < min(self.size(), last):
            part = ranges.read(at, at + PIECE)
            if (found := part.find(b"\n")) >= 0:
                return at + found + 1
            at += PIECE
        if at >= last:
            raise CorpusError(
                f"{self._line(last - MAX_LINE_BYTES)} is longer than {MAX_LINE_BYTES:,} bytes; each "
                "line of a .jsonl file is one document, so split it"
            )
        return self.size()

    def _check_column(self) -> None:
        """Raise CorpusError if the file has rows, and none of them has the column.

        Reads up to the first row that has it. `_texts` refuses what is not JSON.
        """
        columns: set[str] = set()
        for line in self._lines():
            try:
                row = json.loads(line.removeprefix(BOM).strip() or b"{}")
            except (ValueError, RecursionError):
                return
            if not isinstance(row, dict) or value_of(row, self._column) is not MISSING:
                return
            columns.update(names_in(row))
        if columns:
            raise no_column(str(self._file.path), self._column, list(columns))

    def _lines(self) -> Iterator[bytes]:
        """The lines of the file."""
        ranges, start, size = self._file.ranges(), 0, self.size()
        while start < size:
            # The first lines are usually enough.
            end = self._end_of_line(ranges, min(start + (PIECE if start else 1), size) - 1)
            yield from ranges.reader(start, end)().split(b"\n")
            start = end

    def _texts(self, read: Callable[[], bytes], start: int) -> Iterator[Text]:
        for line in read().split(b"\n"):
            if line.removeprefix(BOM).strip() and (text := self._text(start, line)):
                yield Text(text, is_for_testing(text, self._share))
            start += len(line) + 1

    def _text(self, offset: int, line: bytes) -> bytes:
        row = self._parse(offset, line)
        if not isinstance(row, dict):
            raise CorpusError(
                f"{self._line(offset)} is not a JSON object; each line of the file is one, such as "
                f'{{"text": "..."}}{self._remedy(offset, line)}'
            )
        value = value_of(row, self._column)  # writers leave out what is null
        if value is MISSING or value is None:
            return b""
        if not isinstance(value, str):
            raise self._not_text(offset, value)
        try:
            return value.encode()
        except UnicodeEncodeError as error:  # half of a surrogate pair, written as \ud800
            raise CorpusError(
                f"{self._line(offset)} has half a character in {self._column!r} "
                f"({error.reason}); it cannot be written in UTF-8"
            ) from error

    def _parse(self, offset: int, line: bytes) -> Any:  # noqa: ANN401  (JSON)
        may_repeat = any(line.count(key) > 1 for key in self._keys)
        hook = partial(self._checked, offset) if may_repeat else None
        try:
            return json.loads(line.removeprefix(BOM).decode(), object_pairs_hook=hook)
        except UnicodeDecodeError as error:
            raise not_utf8(self._file, offset + error.start) from error
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else error
            raise CorpusError(
                f"{self._line(offset)} is not JSON ({reason}){self._remedy(offset, line)}"
            ) from error

    def _remedy(self, offset: int, line: bytes) -> str:
        """What to type if the file is an array, or an object on several lines; else nothing."""
        begin = line.removeprefix(BOM).strip()
        if offset or not (begin.startswith(b"[") or begin == b"{"):
            return ""
        name = without_compression(self._file.path.name)
        content = f"json.load(open({name!r}))"
        rows = content if begin.startswith(b"[") else f"[{content}]"
        code = f'"import json; [print(json.dumps(row)) for row in {rows}]"'
        return f"; convert it: python -c {code} > {Path(name).stem}-lines.jsonl"

    def _checked(self, offset: int, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """Make an object. Raises CorpusError if it has a key of the column twice."""
        keys = [key for key, _ in pairs]
        for key in {*self._column.split("."), self._column}:
            if keys.count(key) > 1:
                raise repeated_column(self._line(offset), key)
        return dict(pairs)

    def _not_text(self, offset: int, value: object) -> CorpusError:
        where = self._line(offset)
        if isinstance(value, dict):
            return an_object(where, self._column, [f"{self._column}.{key}" for key in value])
        if isinstance(value, list):
            return a_list(where, self._column)
        return CorpusError(f"{where} has {type(value).__name__} in {self._column!r}, not text")

    def _line(self, offset: int) -> str:
        """The line number of an offset, for messages."""
        ranges = self._file.ranges()
        starts = range(0, offset, PIECE)
        before = (ranges.reader(at, min(at + PIECE, offset))() for at in starts)
        number = 1 + sum(part.count(b"\n") for part in before)
        return f"{self._file.path}: line {number}, at byte {offset},"
