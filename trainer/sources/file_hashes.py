"""SHA-256 of files; for large files, remembered by path, size and modification time."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from trainer.errors import CorpusError
from trainer.files import write_json
from trainer.sources.compression import BLOCK, Compression, compression_of, decompressed
from trainer.sources.text_errors import reading
from trainer.sources.text_files import TextFile

MIN_REMEMBERED_BYTES = 2**20
"""Size in bytes from which the hash of a file is remembered."""
MTIME_SETTLE_SECONDS = 2.0
"""Seconds in which a file may change twice and keep its modification time."""


class HashedText(NamedTuple):
    """A text file, and the hash of its text: decompressed, if it is compressed."""

    hash: str
    file: TextFile


class FileHashes:
    """Hashes of files, and what they were hashed at."""

    def __init__(self, cache: Path) -> None:
        self._memo = cache / "files.json"
        self._seen: dict[Path, list[int]] = {}
        """Size and modification time of each file when it was hashed."""
        self._is_over = False
        try:
            self._known: dict[str, list[Any]] = dict(json.loads(self._memo.read_bytes()))
        except (OSError, ValueError, TypeError):
            self._known = {}

    def of(self, paths: Sequence[Path]) -> list[HashedText]:
        """The hashes of some files as they are. Raises CorpusError for one that cannot be read."""
        return self._all(paths, decompress=False)

    def of_texts(self, paths: Sequence[Path]) -> list[HashedText]:
        """The hashes of the text of some files. Raises CorpusError as `of`, or for a damaged one."""
        return self._all(paths, decompress=True)

    def check(self, path: Path) -> None:
        """Raise CorpusError if a file has changed since it was hashed, OSError if it is gone."""
        if _state(path) != self._seen[path]:
            raise CorpusError(f"{path} has changed while it was read; prepare it again")

    def _all(self, paths: Sequence[Path], *, decompress: bool) -> list[HashedText]:
        before = dict(self._known)
        self._is_over = False
        pool = ThreadPoolExecutor()  # hashing does not hold the interpreter's lock
        try:
            hashes = list(pool.map(partial(self._hash, decompress=decompress), paths))
        finally:  # after Ctrl-C, what is hashed in other threads is not wanted any more
            self._is_over = True
            pool.shutdown(cancel_futures=True)
        if self._known != before and self._memo.parent.is_dir():
            write_json(self._memo, self._known)
        return hashes

    def _hash(self, path: Path, *, decompress: bool) -> HashedText:
        with reading(path):
            now = self._seen[path] = _state(path)
            compression = compression_of(path) if decompress else None
            key = f"{path.resolve()}{' decompressed' if compression else ''}"
            known = self._known.get(key)
            if known and known[:2] == now:
                hashed, size = str(known[2]), int(known[-1]) if compression else now[0]
            else:
                hashed, size = self._digest(path, compression)
        settled = time.time() - now[1] / 1e9 > MTIME_SETTLE_SECONDS
        if now[0] >= MIN_REMEMBERED_BYTES and settled:
            self._known[key] = [*now, hashed, *([size] if compression else [])]
        return HashedText(hashed, TextFile(path, size, compression))

    def _digest(self, path: Path, compression: Compression | None) -> tuple[str, int]:
        """SHA-256 and size of a file's content, decompressed."""
        digest, size = hashlib.sha256(), 0
        for block in _blocks(path, compression):
            digest.update(block)
            size += len(block)
            if self._is_over:
                raise CorpusError(f"{path}: reading it was interrupted")
        return digest.hexdigest(), size


def _state(path: Path) -> list[int]:
    """Size and modification time of a file."""
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def _blocks(path: Path, compression: Compression | None) -> Iterator[bytes]:
    """The content of a file, decompressed."""
    if compression is not None:
        yield from decompressed(path, compression)
        return
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK):
            yield block
