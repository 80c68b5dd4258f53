"""Text that lies here: .txt, .jsonl and .parquet files, or a folder of one kind of them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

from trainer.errors import CorpusError
from trainer.files import write_json
from trainer.recipe import DataConfig
from trainer.source import (
    PIECE,
    Origin,
    Piece,
    Text,
    digest,
    first_names,
    is_for_testing,
    last_cut,
    part_of_one,
    split_words,
)
from trainer.text_errors import no_column, not_utf8, unreadable

WORTH_REMEMBERING = 2**20
"""Bytes from which on the hash of a file is remembered."""
UNSETTLED = 2.0
"""Seconds within which a file may change again without another time stamp."""


class FileHashes:
    """SHA-256 of files; those of large ones are remembered by path, size and time of change."""

    def __init__(self, cache: Path) -> None:
        self._memo = cache / "files.json"
        try:
            self._known: dict[str, list[Any]] = dict(json.loads(self._memo.read_bytes()))
        except (OSError, ValueError, TypeError):
            self._known = {}

    def of(self, paths: Sequence[Path]) -> list[str]:
        """The hashes of some files. Raises CorpusError for one that cannot be read."""
        before = dict(self._known)
        with ThreadPoolExecutor() as pool:  # hashing does not hold the interpreter's lock
            hashes = list(pool.map(self._hash, paths))
        if self._known != before and self._memo.parent.is_dir():
            write_json(self._memo, self._known)
        return hashes

    def _hash(self, path: Path) -> str:
        try:
            found = path.stat()
            key, now = str(path.resolve()), [found.st_size, found.st_mtime_ns]
            known = self._known.get(key)
            if known and known[:2] == now:
                return str(known[2])
            with path.open("rb") as file:
                hashed = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise unreadable(path, error) from error
        settled = time.time() - found.st_mtime > UNSETTLED
        if found.st_size >= WORTH_REMEMBERING and settled:
            self._known[key] = [*now, hashed]
        return hashed


class Reader(Protocol):
    """How one kind of file is read: where it can be cut, and the texts between two cuts."""

    def size(self, path: Path) -> int:
        """Bytes of text, roughly."""

    def cuts(self, path: Path, start: int) -> Iterator[tuple[int, int]]:
        """Where the pieces after `start` end, and their sizes in bytes."""

    def texts(self, path: Path, start: int, end: int) -> Iterator[Text]:
        """The texts of a piece."""


class LocalFiles:
    """A corpus of files of one kind."""

    def __init__(self, data: DataConfig, paths: Sequence[Path], cache: Path) -> None:
        self._data = data
        self._paths = paths
        self._kind = paths[0].suffix.lower()
        self._alone = len(paths) == 1
        self._hashes = FileHashes(cache)

    @cached_property
    def _contents(self) -> list[str]:
        return self._hashes.of(self._paths)

    @cached_property
    def _reader(self) -> Reader:
        share, column = self._data.test_share, self._data.text_column
        if self._kind == ".txt":
            if self._alone:
                return OneText(share)
            by_hash = zip(self._paths, self._contents, strict=True)
            return ManyTexts(
                {path: part_of_one(bytes.fromhex(hashed)) < share for path, hashed in by_hash}
            )
        if self._kind == ".jsonl":
            return JsonLines(column, share)
        from trainer.parquet import ParquetRows  # noqa: PLC0415  (brings pyarrow)

        return ParquetRows(column, share)

    def origin(self) -> Origin:
        share = self._data.test_share
        column = [] if self._kind == ".txt" else [self._data.text_column]
        kind = f"{'one ' if self._alone else ''}{self._kind}"
        root = self._paths[0].parent if self._alone else Path(self._data.corpus)
        return Origin(
            digest(self._data, kind, [*column, *self._contents]),
            first_names([_name(path, root) for path in self._paths]),
            None,
            f"the last {share:g} of the text is for testing"
            if self._alone and self._kind == ".txt"
            else split_words(share),
        )

    @cached_property
    def size(self) -> int:
        total = sum(self._reader.size(path) for path in self._paths)
        if not total:
            raise CorpusError(
                f"data.corpus = {self._data.corpus!r} is empty: there is no text in it"
            )
        return total

    def pieces(self, resume: Any = None) -> Iterator[Piece]:  # noqa: ANN401  (JSON)
        first, start = resume or (0, 0)
        for index in range(first, len(self._paths)):
            path = self._paths[index]
            for end, size in self._reader.cuts(path, start):
                yield Piece(size, [index, end], partial(self._reader.texts, path, start, end))
                start = end
            start = 0


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


class _Texts:
    """Files of plain text, in parts; what is for testing is up to the subclass."""

    def size(self, path: Path) -> int:
        return path.stat().st_size

    def boundary(self, path: Path) -> int | None:  # noqa: ARG002  (a subclass knows)
        """Where the text for testing begins, if not with the file."""
        return None

    def is_test(self, path: Path, start: int) -> bool:
        raise NotImplementedError

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
        ends = end in {self.size(path), self.boundary(path)}
        yield Text(text, self.is_test(path, start), ends)


class OneText(_Texts):
    """A single text: the end of it is for testing."""

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


class ManyTexts(_Texts):
    """Each file is a document."""

    def __init__(self, for_testing: dict[Path, bool]) -> None:
        self._for_testing = for_testing

    def is_test(self, path: Path, start: int) -> bool:  # noqa: ARG002  (all of the file)
        return self._for_testing[path]


class JsonLines:
    """A JSON object per line, a document in one of its fields."""

    def __init__(self, column: str, share: float) -> None:
        self._column = column
        self._share = share

    def size(self, path: Path) -> int:
        return path.stat().st_size

    def cuts(self, path: Path, start: int) -> Iterator[tuple[int, int]]:
        size = self.size(path)
        with path.open("rb") as file:
            while start < size:
                file.seek(min(start + PIECE, size) - 1)
                file.readline()
                end = file.tell()
                yield end, end - start
                start = end

    def texts(self, path: Path, start: int, end: int) -> Iterator[Text]:
        for line in read_range(path, start, end).split(b"\n"):
            if line.strip() and (text := self._text(path, start, line)):
                yield Text(text, is_for_testing(text, self._share))
            start += len(line) + 1

    def _text(self, path: Path, offset: int, line: bytes) -> bytes:
        try:
            row = json.loads(line.decode())
        except UnicodeDecodeError as error:
            raise not_utf8(path, offset + error.start) from error
        except (ValueError, RecursionError) as error:
            raise CorpusError(f"{path}: the line at byte {offset} is not JSON ({error})") from error
        if not isinstance(row, dict):
            raise CorpusError(
                f"{path}: the line at byte {offset} is no JSON object; each line of a .jsonl file "
                'is one, such as {"text": "..."}'
            )
        if self._column not in row:
            raise no_column(str(path), self._column, list(row))
        value = row[self._column]
        if value is not None and not isinstance(value, str):
            raise CorpusError(
                f"{path}: {self._column!r} in the line at byte {offset} is "
                f"{type(value).__name__}, not text"
            )
        try:
            return (value or "").encode()
        except UnicodeEncodeError as error:  # half of a surrogate pair, written as \ud800
            raise CorpusError(
                f"{path}: the line at byte {offset} has half a character in {self._column!r} "
                f"({error.reason}); it cannot be written in UTF-8"
            ) from error


def cut_near(path: Path, start: int, near: int) -> int:
    """The last place after `start` and not after `near` at which every tokenizer cuts."""
    begin = max(start, near - 2**16)
    return begin + last_cut(read_range(path, begin, near))


def read_range(path: Path, start: int, end: int) -> bytes:
    """Some bytes of a file. Raises CorpusError when they cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(end - start)
    except OSError as error:
        raise unreadable(path, error) from error
