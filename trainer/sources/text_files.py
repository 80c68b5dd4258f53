"""Ranges of bytes of a text file. Those of a compressed file are ranges of its decompressed text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from trainer.sources.compression import Compression, decompressed
from trainer.sources.text_errors import reading


class Ranges(Protocol):
    """Reads ranges of a text."""

    def read(self, start: int, end: int) -> bytes:
        """Some bytes. Raises CorpusError if that fails."""

    def reader(self, start: int, end: int) -> Callable[[], bytes]:
        """Return a function that reads some bytes in any thread.

        No range that begins before `end` may be read afterwards.
        """


@dataclass(frozen=True)
class TextFile:
    """A file of text, compressed or not."""

    path: Path
    size: int
    """Bytes of its text, decompressed."""
    compression: Compression | None = None

    def ranges(self, start: int = 0) -> Ranges:
        """Return a reader of ranges that begin at `start` or later."""
        if self.compression is None:
            return _PlainRanges(self.path)
        return _DecompressedRanges(decompressed(self.path, self.compression), start)

    def beginning(self, size: int) -> bytes:
        """The first bytes of its text. Raises CorpusError if they cannot be read."""
        return self.ranges().read(0, size)


class _PlainRanges:
    """Ranges of a file that is not compressed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, start: int, end: int) -> bytes:
        with reading(self._path), self._path.open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    def reader(self, start: int, end: int) -> Callable[[], bytes]:
        return partial(self.read, start, end)


class _DecompressedRanges:
    """Ranges of a stream; holds the bytes between the last part and the furthest position."""

    def __init__(self, blocks: Iterator[bytes], start: int) -> None:
        self._blocks = blocks
        self._first = start
        """Bytes before this position are not needed any more."""
        self._start = 0
        """The position of the first byte that is held."""
        self._held = bytearray()

    def read(self, start: int, end: int) -> bytes:
        while self._start + len(self._held) < end and (block := next(self._blocks, b"")):
            self._held += block
            self._forget()
        return bytes(self._held[start - self._start : end - self._start])

    def reader(self, start: int, end: int) -> Callable[[], bytes]:
        content = self.read(start, end)
        self._first = end
        self._forget()
        return lambda: content

    def _forget(self) -> None:
        surplus = min(self._first - self._start, len(self._held))
        del self._held[:surplus]
        self._start += surplus
