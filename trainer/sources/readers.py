"""Readers of text files: the parts that a file is read in, and the texts of each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, Protocol

from trainer.sources.encoding_errors import not_utf8, utf16_without_bom
from trainer.sources.source import PIECE, Text, is_for_testing, last_cut
from trainer.sources.text_files import Ranges, TextFile


class Part(NamedTuple):
    """A part of a file that can be read in any thread."""

    end: int
    """The position at which it ends."""
    size: int
    """Approximate bytes of its text."""
    texts: Callable[[], Iterator[Text]]
    """Its documents in order. Raises CorpusError if they cannot be read."""


class Reader(Protocol):
    """Reads a file of one kind."""

    def size(self) -> int:
        """Bytes of text, roughly."""

    def parts(self, start: int) -> Iterator[Part]:
        """The parts of the file from the position `start` on, which an earlier part ended at."""


MAX_NUL_SHARE = 0.1
"""Share of zero bytes above which a text is taken for UTF-16, in which ASCII is valid UTF-8."""
CUT_REACH = 2**16
"""Bytes before a position in which a place to cut is looked for."""
BOM = b"\xef\xbb\xbf"
"""The byte-order mark that PowerShell and Notepad write at the beginning of UTF-8; it is no text."""


class _Texts(ABC):
    """Reads plain text in parts; a subclass decides which are for testing."""

    def __init__(self, file: TextFile) -> None:
        self._file = file

    def size(self) -> int:
        return self._file.size

    def boundary(self) -> int | None:
        """The offset at which the test text begins; None if the file is on one side."""
        return None

    @abstractmethod
    def is_test(self, start: int, boundary: int | None) -> bool:
        """True if the text that begins at `start` is for testing."""

    def parts(self, start: int) -> Iterator[Part]:
        size, ranges = self.size(), self._file.ranges(start)
        boundary = self.boundary()
        while start < size:
            stop = boundary if boundary is not None and start < boundary else size
            end = stop if stop - start <= PIECE else cut_near(ranges, start, start + PIECE)
            is_test = self.is_test(start, boundary)
            read = ranges.reader(start, end)
            yield Part(end, end - start, partial(self._texts, read, start, is_test, end == stop))
            start = end

    def _texts(
        self, read: Callable[[], bytes], start: int, is_test: bool, ends: bool
    ) -> Iterator[Text]:
        text = read()
        try:
            text.decode()
        except UnicodeDecodeError as error:
            raise not_utf8(self._file, start + error.start) from error
        if text.count(0) > MAX_NUL_SHARE * len(text):
            raise utf16_without_bom(self._file.path)
        yield Text(text if start else text.removeprefix(BOM), is_test, ends)


class OneText(_Texts):
    """A single text; its end is for testing."""

    def __init__(self, file: TextFile, share: float) -> None:
        super().__init__(file)
        self._share = share
        self._boundary: int | None = None

    def boundary(self) -> int:
        if self._boundary is None:
            size = self.size()
            near = max(1, round(size * (1 - self._share)))
            ranges = self._file.ranges(max(0, near - CUT_REACH))
            self._boundary = cut_near(ranges, 0, near) if near < size else size
        return self._boundary

    def is_test(self, start: int, boundary: int | None) -> bool:
        return boundary is not None and start >= boundary


class WholeText(_Texts):
    """A file that is one document."""

    def __init__(self, file: TextFile, *, for_testing: bool) -> None:
        super().__init__(file)
        self._for_testing = for_testing

    def is_test(self, start: int, boundary: int | None) -> bool:  # noqa: ARG002  (all of the file)
        return self._for_testing


class SeparatedTexts:
    """A file of documents with a separator between them; line ends beside it belong to neither."""

    def __init__(self, file: TextFile, separator: str, share: float) -> None:
        self._file = file
        self._separator = separator.encode()
        self._share = share

    def size(self) -> int:
        return self._file.size

    def parts(self, start: int) -> Iterator[Part]:
        size, ranges = self.size(), self._file.ranges(start)
        while start < size:
            end = self._next_end(ranges, start + PIECE, size)
            yield Part(end, end - start, partial(self._texts, ranges.reader(start, end), start))
            start = end

    def _next_end(self, ranges: Ranges, near: int, size: int) -> int:
        """The end of the first separator that ends after `near`, or of the file."""
        begin = near - len(self._separator)
        while near < size:
            part = ranges.read(begin, near + PIECE)
            if (found := part.find(self._separator)) >= 0:
                return begin + found + len(self._separator)
            near += PIECE
            begin = near - len(self._separator)
        return size

    def _texts(self, read: Callable[[], bytes], start: int) -> Iterator[Text]:
        for part in read().split(self._separator):
            try:
                part.decode()
            except UnicodeDecodeError as error:
                raise not_utf8(self._file, start + error.start) from error
            text = (part if start else part.removeprefix(BOM)).strip(b"\r\n")
            if text:
                yield Text(text, is_for_testing(text, self._share))
            start += len(part) + len(self._separator)


def cut_near(ranges: Ranges, start: int, near: int) -> int:
    """The last position in (start, near] at which every tokenizer cuts."""
    begin = max(start, near - CUT_REACH)
    return begin + last_cut(ranges.read(begin, near))


def has_several(file: TextFile, separator: str) -> bool:
    """True if a separator occurs more than once in the beginning of a file."""
    return file.beginning(2**16).count(separator.encode()) > 1


def begins_with_bom(file: TextFile) -> bool:
    """True if a file begins with a byte-order mark of UTF-8."""
    return file.beginning(len(BOM)) == BOM
