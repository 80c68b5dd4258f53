"""Local text: a .txt, .jsonl or .parquet file, or a folder with files of one kind."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from trainer.errors import CorpusError
from trainer.files import write_json
from trainer.recipe import DataConfig
from trainer.sources.file_splits import name_below, own_split
from trainer.sources.readers import (
    JsonLines,
    OneText,
    Reader,
    SeparatedTexts,
    WholeText,
    begins_with_bom,
    has_several,
)
from trainer.sources.source import (
    Origin,
    Piece,
    Text,
    digest,
    first_names,
    part_of_one,
    split_rule,
)
from trainer.sources.text_errors import reading
from trainer.tokens import END_OF_TEXT

MIN_REMEMBERED_BYTES = 2**20
"""Size in bytes from which the hash of a file is remembered."""
MTIME_SETTLE_SECONDS = 2.0
"""Seconds in which a file may change twice and keep its modification time."""


SEPARATOR_HINT = (
    f"there are several {END_OF_TEXT}, which are trained on as text; with "
    f'data.separator = "{END_OF_TEXT}" they separate documents'
)


class FileHashes:
    """SHA-256 of files; for large files, remembered by path, size and modification time."""

    def __init__(self, cache: Path) -> None:
        self._memo = cache / "files.json"
        self._hashed: dict[Path, list[int]] = {}
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

    def check(self, path: Path) -> None:
        """Raise CorpusError if a file has changed since it was hashed, OSError if it is gone."""
        found = path.stat()
        if [found.st_size, found.st_mtime_ns] != self._hashed[path]:
            raise CorpusError(f"{path} has changed while it was read; prepare it again")

    def _hash(self, path: Path) -> str:
        with reading(path):
            found = path.stat()
            key, now = str(path.resolve()), [found.st_size, found.st_mtime_ns]
            self._hashed[path] = now
            known = self._known.get(key)
            if known and known[:2] == now:
                return str(known[2])
            with path.open("rb") as file:
                hashed = hashlib.file_digest(file, "sha256").hexdigest()
        settled = time.time() - found.st_mtime > MTIME_SETTLE_SECONDS
        if found.st_size >= MIN_REMEMBERED_BYTES and settled:
            self._known[key] = [*now, hashed]
        return hashed


class LocalFiles:
    """A corpus of files of one kind."""

    def __init__(
        self, data: DataConfig, paths: Sequence[Path], cache: Path, root: Path | None = None
    ) -> None:
        """`root` is the folder that the files lie in, if the corpus is a folder."""
        self._data = data
        self._own = own_split(paths, root) if root else None
        self._paths = self._own.paths if self._own else paths
        self._kind = paths[0].suffix.lower()
        self._alone = len(paths) == 1
        self._hashes = FileHashes(cache)

    @property
    def is_plain_text(self) -> bool:
        """True if the files are .txt."""
        return self._kind == ".txt"

    @cached_property
    def _contents(self) -> list[str]:
        return self._hashes.of(self._paths)

    @cached_property
    def _is_marked(self) -> bool:
        """True if a .txt begins with a byte-order mark.

        Part of the hash, since the mark was three bytes of the text in 0.1.0.
        """
        return self._kind == ".txt" and any(map(begins_with_bom, self._paths))

    @cached_property
    def _has_separators(self) -> bool:
        """True if a .txt has separators that are read as text."""
        return (
            self.is_plain_text
            and not self._data.separator
            and has_several(self._paths[0], END_OF_TEXT)
        )

    @cached_property
    def _readers(self) -> dict[Path, Reader]:
        return {
            path: self._reader(self._share(path), hashed)
            for path, hashed in zip(self._paths, self._contents, strict=True)
        }

    def _share(self, path: Path) -> float:
        """The share of a file that is for testing: 0 or 1 if the file's name decides."""
        return float(path in self._own.testing) if self._own else self._data.test_share

    def _reader(self, share: float, hashed: str) -> Reader:
        if self._kind == ".txt" and self._data.separator:
            return SeparatedTexts(self._data.separator, share)
        if self._kind == ".txt":
            whole = WholeText(for_testing=part_of_one(bytes.fromhex(hashed)) < share)
            return OneText(share) if self._alone else whole
        if self._kind == ".jsonl":
            return JsonLines(self._data.text_column, share)
        from trainer.sources.parquet import ParquetRows

        return ParquetRows(self._data.text_column, share)

    def origin(self) -> Origin:
        column = [] if self._kind == ".txt" else [self._data.text_column]
        split = [self._own.words] if self._own else []
        separator = [f"separated by {self._data.separator}"] if self._data.separator else []
        mark = ["without byte-order mark"] if self._is_marked else []
        kind = f"{'one ' if self._alone else ''}{self._kind}"
        root = self._paths[0].parent if self._alone else Path(self._data.corpus)
        return Origin(
            digest(self._data, kind, [*split, *column, *separator, *mark, *self._contents]),
            first_names([name_below(path, root) for path in self._paths]),
            None,
            self._split(),
        )

    def _split(self) -> str:
        return f"{self._rule()}; {SEPARATOR_HINT}" if self._has_separators else self._rule()

    def _rule(self) -> str:
        if self._own:
            return self._own.words
        share = self._data.test_share
        if self._alone and self.is_plain_text and not self._data.separator:
            return f"the last {share:g} of the text is for testing"
        return split_rule(share)

    @cached_property
    def size(self) -> int:
        total = 0
        for path in self._paths:
            with reading(path):
                total += self._readers[path].size(path)
        if not total:
            raise CorpusError(
                f"data.corpus = {self._data.corpus!r} is empty: there is no text in it"
            )
        return total

    def pieces(self, resume: Any = None) -> Iterator[Piece]:  # noqa: ANN401  (JSON)
        first, start = resume or (0, 0)
        for index in range(first, len(self._paths)):
            path = self._paths[index]
            reader = self._readers[path]
            with reading(path):
                for end, size in reader.cuts(path, start):
                    yield Piece(size, [index, end], partial(self._texts, reader, path, start, end))
                    start = end
            start = 0

    def _texts(self, reader: Reader, path: Path, start: int, end: int) -> Iterator[Text]:
        with reading(path):
            yield from reader.texts(path, start, end)
            self._hashes.check(path)  # the text that was read is the text that was hashed
