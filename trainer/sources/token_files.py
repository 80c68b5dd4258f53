"""A corpus that is tokens already: safetensors files named `train*` and `validation*`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from trainer.errors import CorpusError
from trainer.recipe import DataConfig, vocabulary_size
from trainer.sources.local_files import FileHashes
from trainer.sources.source import PIECE, Origin, Piece, Text, digest, first_names
from trainer.tokens import TOKENIZER_FILE, Tokens

SUFFIX = ".safetensors"
TOKENS = "tokens"
"""The name of the vector in each file."""
PARTS = ("train", "validation")
"""Prefixes of the file names of each split."""


def is_ready(name: str) -> bool:
    """True if a file holds tokens, judging by its name."""
    return name.endswith(SUFFIX) and name.rpartition("/")[2].startswith(PARTS)


class ReadyTokens:
    """Token files of one corpus."""

    SPLIT = f"the files validation*{SUFFIX} are for testing"

    def __init__(self, data: DataConfig, paths: Sequence[Path], origin: Origin) -> None:
        self._data = data
        self._paths = _in_order(data, paths)
        self._origin = origin

    @classmethod
    def here(cls, data: DataConfig, paths: Sequence[Path], cache: Path) -> ReadyTokens:
        """The token files in a local folder."""
        ordered = _in_order(data, paths)
        hashes = FileHashes(cache).of(ordered)
        names = first_names([path.name for path in ordered])
        return cls(data, ordered, Origin(digest(data, TOKENS, hashes), names, None, cls.SPLIT))

    def origin(self) -> Origin:
        return self._origin

    @property
    def tokenizer(self) -> Path:
        """The path of the tokenizer; the file need not exist."""
        return self._paths[0].parent / TOKENIZER_FILE

    @cached_property
    def size(self) -> int:
        return sum(2 * _length(path) for path in self._paths)

    def pieces(self, resume: Any = None) -> Iterator[Piece]:  # noqa: ANN401  (JSON)
        first, start = resume or (0, 0)
        for index in range(first, len(self._paths)):
            path = self._paths[index]
            length = _length(path)
            while start < length:
                end = min(length, start + PIECE)
                size = 2 * (end - start)
                yield Piece(size, [index, end], partial(self._texts, path, start, end))
                start = end
            start = 0

    def _texts(self, path: Path, start: int, end: int) -> Iterator[Text]:
        tokens = _Vector(path).read(start, end)
        vocabulary = vocabulary_size(self._data.tokenizer)
        if (beyond := np.flatnonzero(tokens >= vocabulary)).size:
            raise CorpusError(
                f"{path}: token {tokens[beyond[0]]} at position {start + beyond[0]} is beyond the "
                f"vocabulary of data.tokenizer = {self._data.tokenizer!r}, which has {vocabulary}; "
                "name the tokenizer that the tokens were made with"
            )
        yield Text(tokens, path.name.startswith(PARTS[1]), ends=False)


def _in_order(data: DataConfig, paths: Sequence[Path]) -> list[Path]:
    """Training files, then test files. Raises CorpusError unless there are both."""
    by_part = [sorted(path for path in paths if path.name.startswith(part)) for part in PARTS]
    for part, found in zip(PARTS, by_part, strict=True):
        if not found:
            raise CorpusError(
                f"data.corpus = {data.corpus!r} has no {part}*{SUFFIX}; a corpus of ready tokens "
                f"has files train*{SUFFIX} and validation*{SUFFIX}"
            )
    return [path for found in by_part for path in found]


class _Vector:
    """The tokens of a file, memory-mapped. Raises CorpusError unless they are a vector of uint16."""

    def __init__(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        try:
            file: Any = safe_open(path, framework="np")
            names = list(file.keys())
        except (SafetensorError, OSError) as error:
            raise CorpusError(
                f"{path} is not a safetensors file, or is truncated ({error}); copy or download it again"
            ) from error
        if TOKENS not in names:
            raise CorpusError(
                f"{path} has no vector {TOKENS!r}; it has: {', '.join(names[:20]) or 'nothing'}"
            )
        self._vector = file.get_slice(TOKENS)
        kind, self.shape = self._vector.get_dtype(), self._vector.get_shape()
        if kind != "U16" or len(self.shape) != 1:
            raise CorpusError(
                f"{path}: {TOKENS!r} is {kind} of shape {self.shape}, where a vector of U16 is "
                "expected: one number of two bytes for each token"
            )

    def read(self, start: int, end: int) -> Tokens:
        found: Tokens = self._vector[start:end]
        return found


def _length(path: Path) -> int:
    return int(_Vector(path).shape[0])
