"""Readers of text files: the positions where a file can be cut, and the texts between two cuts."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from trainer.errors import CorpusError
from trainer.sources.source import PIECE, Text, is_for_testing, last_cut
from trainer.sources.text_errors import no_column, not_utf8, reading


class Reader(Protocol):
    """Reads one kind of file."""

    def size(self, path: Path) -> int:
        """Bytes of text, roughly."""

    def cuts(self, path: Path, start: int) -> Iterator[tuple[int, int]]:
        """The end of each piece after `start`, and its size in bytes."""

    def texts(self, path: Path, start: int, end: int) -> Iterator[Text]:
        """The texts of a piece."""


BOM = b"\xef\xbb\xbf"
"""The byte-order mark that PowerShell and Notepad write at the beginning of UTF-8; it is no text."""


class _Texts(ABC):
    """Reads plain text in parts; a subclass decides which are for testing."""

    def size(self, path: Path) -> int:
        return path.stat().st_size

    def boundary(self, path: Path) -> int | None:  # noqa: ARG002  (a subclass knows)
        """The offset at which the test text begins; None if the file is on one side."""
        return None

    @abstractmethod
    def is_test(self, path: Path, start: int) -> bool:
        """True if the text that begins at `start` is for testing."""

    def cuts(self, path: Path, start: int) -> Iterator[tuple[int, int]]:
        size, boundary = self.size(path), self.boundary(path)
        while start < size:
            stop = boundary if boundary is not None and start < boundary else size
            end = stop if stop - start <= PIECE else cut_near(path, start, start + PIECE)
            yield end, end - start
            start = end

    def texts(self, path: Path, start: int, end: int) -> Iterator[Text]:
        text = read_range(path, start, end)
        try:
            text.decode()
        except UnicodeDecodeError as error:
            raise not_utf8(path, start + error.start) from error
        text = text if start else text.removeprefix(BOM)
        ends = end in {self.size(path), self.boundary(path)}
        yield Text(text, self.is_test(path, start), ends)


class OneText(_Texts):
    """A single text; its end is for testing."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._boundary: int | None = None

    def boundary(self, path: Path) -> int:
        if self._boundary is None:
            size = self.size(path)
            near = max(1, round(size * (1 - self._share)))
            self._boundary = cut_near(path, 0, near) if near < size else size
        return self._boundary

    def is_test(self, path: Path, start: int) -> bool:
        return start >= self.boundary(path)


class WholeText(_Texts):
    """A file that is one document."""

    def __init__(self, *, for_testing: bool) -> None:
        self._for_testing = for_testing

    def is_test(self, path: Path, start: int) -> bool:  # noqa: ARG002  (all of the file)
        return self._for_testing


class SeparatedTexts:
    """A file of documents with a separator between them; line ends beside it belong to neither."""

    def __init__(self, separator: str, share: float) -> None:
        self._separator = separator.encode()
        self._share = share

    def size(self, path: Path) -> int:
        return path.stat().st_size

    def cuts(self, path: Path, start: int) -> Iterator[tuple[int, int]]:
        size = self.size(path)
        while start < size:
            end = self._next_end(path, start + PIECE, size)
            yield end, end - start
            start = end

    def _next_end(self, path: Path, near: int, size: int) -> int:
        """The end of the first separator that ends after `near`, or of the file."""
        begin = near - len(self._separator)
        while near < size:
            part = read_range(path, begin, near + PIECE)
            if (found := part.find(self._separator)) >= 0:
                return begin + found + len(self._separator)
            near += PIECE
            begin = near - len(self._separator)
        return size

    def texts(self, path: Path, start: int, end: int) -> Iterator[Text]:
        for part in read_range(path, start, end).split(self._separator):
            try:
                part.decode()
            except UnicodeDecodeError as error:
                raise not_utf8(path, start + error.start) from error
            text = (part if start else part.removeprefix(BOM)).strip(b"\r\n")
            if text:
                yield Text(text, is_for_testing(text, self._share))
            start += len(part) + len(self._separator)


class JsonLines:
    """One JSON object per line; one of its fields is the document."""

    def __init__(self, column: str, share: float) -> None:
        self._column = column
        self._share = share

    def size(self, path: Path) -> int:
        return path.stat().st_size

    def cuts(self, path: Path, start: int) -> Iterator[tuple[int, int]]:
        size = self.size(path)
        if start == 0:
            self._check_column(path)
        with path.open("rb") as file:
            while start < size:
                file.seek(min(start + PIECE, size) - 1)
                file.readline()
                end = file.tell()
                yield end, end - start
                start = end

    def _check_column(self, path: Path) -> None:
        """Raise CorpusError if the file has rows, and none of them has the column.

        Reads up to the first row that has it. `texts` refuses what is not JSON.
        """
        columns: set[str] = set()
        with path.open("rb") as file:
            for line in file:
                try:
                    row = json.loads(line.removeprefix(BOM).strip() or b"{}")
                except (ValueError, RecursionError):
                    return
                if not isinstance(row, dict) or self._column in row:
                    return
                columns.update(row)
        if columns:
            raise no_column(str(path), self._column, list(columns))

    def texts(self, path: Path, start: int, end: int) -> Iterator[Text]:
        for line in read_range(path, start, end).split(b"\n"):
            if line.removeprefix(BOM).strip() and (text := self._text(path, start, line)):
                yield Text(text, is_for_testing(text, self._share))
            start += len(line) + 1

    def _text(self, path: Path, offset: int, line: bytes) -> bytes:
        try:
            row = json.loads(line.removeprefix(BOM).decode())
        except UnicodeDecodeError as error:
            raise not_utf8(path, offset + error.start) from error
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else error
            raise CorpusError(f"{_line(path, offset)} is not JSON ({reason})") from error
        if not isinstance(row, dict):
            raise CorpusError(
                f"{_line(path, offset)} is not a JSON object; each line of a .jsonl file is one, such "
                'as {"text": "..."}'
            )
        value = row.get(self._column)  # writers leave out what is null
        if value is not None and not isinstance(value, str):
            raise CorpusError(
                f"{_line(path, offset)} has {type(value).__name__} in {self._column!r}, not text"
            )
        try:
            return (value or "").encode()
        except UnicodeEncodeError as error:  # half of a surrogate pair, written as \ud800
            raise CorpusError(
                f"{_line(path, offset)} has half a character in {self._column!r} "
                f"({error.reason}); it cannot be written in UTF-8"
            ) from error


def _line(path: Path, offset: int) -> str:
    """The line number of an offset in a file, for messages."""
    before = (read_range(path, at, min(at + PIECE, offset)) for at in range(0, offset, PIECE))
    number = 1 + sum(part.count(b"\n") for part in before)
    return f"{path}: line {number}, at byte {offset},"


def cut_near(path: Path, start: int, near: int) -> int:
    """The last position in (start, near] at which every tokenizer cuts."""
    begin = max(start, near - 2**16)
    return begin + last_cut(read_range(path, begin, near))


def has_several(path: Path, separator: str) -> bool:
    """True if a separator occurs more than once in the beginning of a file."""
    return read_range(path, 0, 2**16).count(separator.encode()) > 1


def begins_with_bom(path: Path) -> bool:
    """True if a file begins with a byte-order mark of UTF-8."""
    return read_range(path, 0, len(BOM)) == BOM


def read_range(path: Path, start: int, end: int) -> bytes:
    """Read some bytes of a file. Raises CorpusError if that fails."""
    with reading(path), path.open("rb") as file:
        file.seek(start)
        return file.read(end - start)
