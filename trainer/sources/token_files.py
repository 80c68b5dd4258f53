"""A corpus that is tokens already: .safetensors, or .bin as nanoGPT and speed-runs write them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from trainer.errors import CorpusError
from trainer.recipe import DataConfig, vocabulary_size
from trainer.sources.file_hashes import FileHashes
from trainer.sources.file_splits import own_split
from trainer.sources.source import PIECE, Origin, Piece, Text, digest, first_names
from trainer.sources.token_vectors import TOKENS, BinVector, SafetensorsVector, Vector
from trainer.tokens import TOKENIZER_FILE

READY = ".safetensors"
PARTS = ("train", "validation")
"""Prefixes of the names of .safetensors files, for training and for testing."""
BINS = ".bin"
META = "meta.pkl"
"""The vocabulary of characters that nanoGPT writes beside its .bin files."""


def is_ready(name: str) -> bool:
    """True if a .safetensors file holds tokens, judging by its name."""
    return name.endswith(READY) and name.rpartition("/")[2].startswith(PARTS)


@dataclass(frozen=True)
class TokenFiles:
    """The files of a corpus of tokens, in the order in which they are read."""

    paths: Sequence[Path]
    testing: frozenset[Path]
    """Those for testing."""

    def open(self, path: Path) -> Vector:
        """Open one of them. Raises CorpusError if it is not a file of tokens."""
        return BinVector(path) if path.suffix.lower() == BINS else SafetensorsVector(path)


class ReadyTokens:
    """Token files of one corpus."""

    SPLIT = f"the files validation*{READY} are for testing"

    def __init__(self, data: DataConfig, files: TokenFiles, origin: Origin) -> None:
        self._data = data
        self._files = files
        self._origin = origin

    @classmethod
    def downloaded(cls, data: DataConfig, paths: Sequence[Path], origin: Origin) -> ReadyTokens:
        """The .safetensors files of a dataset on the hub."""
        return cls(data, _safetensors(data, paths), origin)

    @classmethod
    def here(cls, data: DataConfig, paths: Sequence[Path], cache: Path) -> ReadyTokens:
        """The .safetensors files in a local folder."""
        files = _safetensors(data, paths)
        return cls(data, files, _origin(data, files, cache, [TOKENS], cls.SPLIT))

    @classmethod
    def bins(cls, data: DataConfig, paths: Sequence[Path], root: Path, cache: Path) -> ReadyTokens:
        """The .bin files in a local folder, such as train.bin and val.bin."""
        split = own_split(paths, root)
        if split is None:
            raise CorpusError(
                f"data.corpus = {data.corpus!r} has no .bin files for both training and testing; a "
                "corpus of such tokens is a folder with train*.bin and val*.bin, or *_train_*.bin "
                "and *_val_*.bin"
            )
        _check_no_characters(data, split.paths)
        files = TokenFiles(split.paths, frozenset(split.testing))
        known = f"{split.rule}; the ids are read as those of the tokenizer {data.tokenizer}"
        return cls(data, files, _origin(data, files, cache, [TOKENS, BINS, split.words], known))

    def origin(self) -> Origin:
        return self._origin

    @property
    def tokenizer(self) -> Path:
        """The path of the tokenizer; the file need not exist."""
        return self._files.paths[0].parent / TOKENIZER_FILE

    @cached_property
    def size(self) -> int:
        return sum(2 * self._files.open(path).length for path in self._files.paths)

    def pieces(self, resume: Any = None) -> Iterator[Piece]:  # noqa: ANN401  (JSON)
        first, start = resume or (0, 0)
        paths = self._files.paths
        for index in range(first, len(paths)):
            path = paths[index]
            length = self._files.open(path).length
            while start < length:
                end = min(length, start + PIECE)
                size = 2 * (end - start)
                yield Piece(size, [index, end], partial(self._texts, path, start, end))
                start = end
            start = 0

    def _texts(self, path: Path, start: int, end: int) -> Iterator[Text]:
        tokens = self._files.open(path).read(start, end)
        vocabulary = vocabulary_size(self._data.tokenizer)
        if (beyond := np.flatnonzero(tokens >= vocabulary)).size:
            raise CorpusError(
                f"{path}: token {tokens[beyond[0]]} at position {start + beyond[0]} is beyond the "
                f"vocabulary of data.tokenizer = {self._data.tokenizer!r}, which has {vocabulary}; "
                "name the tokenizer that the tokens were made with, such as gpt2"
            )
        yield Text(tokens, path in self._files.testing, ends=False)


def _safetensors(data: DataConfig, paths: Sequence[Path]) -> TokenFiles:
    """Training files, then test files. Raises CorpusError unless there are both."""
    by_part = [sorted(path for path in paths if path.name.startswith(part)) for part in PARTS]
    for part, found in zip(PARTS, by_part, strict=True):
        if not found:
            raise CorpusError(
                f"data.corpus = {data.corpus!r} has no {part}*{READY}; a corpus of ready tokens "
                f"has files train*{READY} and validation*{READY}"
            )
    return TokenFiles([path for found in by_part for path in found], frozenset(by_part[1]))


def _origin(
    data: DataConfig, files: TokenFiles, cache: Path, kind: Sequence[str], split: str
) -> Origin:
    hashes = [hashed.hash for hashed in FileHashes(cache).of(files.paths)]
    names = first_names([path.name for path in files.paths])
    return Origin(digest(data, kind[0], [*kind[1:], *hashes]), names, None, split)


def _check_no_characters(data: DataConfig, paths: Sequence[Path]) -> None:
    """Raise CorpusError if nanoGPT made the tokens from characters; its vocabulary is a pickle."""
    meta = next((each for path in paths if (each := path.parent / META).exists()), None)
    if meta is not None and data.tokenizer in {"bytes", "gpt2"}:
        raise CorpusError(
            f"data.corpus = {data.corpus!r}: the tokens are ids of characters by {meta}, which is not "
            "read, since a pickle can run code; name the text that they were made from, such as "
            "input.txt"
        )
