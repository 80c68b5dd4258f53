"""Files of token ids: safetensors, nanoGPT's .bin and the .bin of modded-nanogpt and llm.c."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from trainer.errors import CorpusError
from trainer.sources.text_errors import reading
from trainer.tokens import Tokens

TOKENS = "tokens"
"""The name of the vector in a safetensors file."""
HEADER_BYTES = 256 * 4
"""The header of a .bin of llm.c: 256 numbers of four bytes, of which three are used."""
MAGIC, VERSION = 20240520, 1
"""The first two numbers of a header (https://github.com/karpathy/llm.c, dev/data/data_common.py)."""
LLAMA_MAGIC = 20240801
"""The first number of a .bin of llm.c with tokens of four bytes."""


class Vector(Protocol):
    """The tokens of a file."""

    @property
    def length(self) -> int:
        """Number of tokens."""

    def read(self, start: int, end: int) -> Tokens:
        """Some of the tokens."""


class SafetensorsVector:
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
        kind, shape = self._vector.get_dtype(), self._vector.get_shape()
        if kind != "U16" or len(shape) != 1:
            raise CorpusError(
                f"{path}: {TOKENS!r} is {kind} of shape {shape}, where a vector of U16 is "
                "expected: one number of two bytes for each token"
            )
        self.length = int(shape[0])

    def read(self, start: int, end: int) -> Tokens:
        found: Tokens = self._vector[start:end]
        return found


class BinVector:
    """The tokens of a .bin with or without a header. Raises CorpusError if it is truncated."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with reading(path):
            size = path.stat().st_size
            with path.open("rb") as file:
                head = file.read(HEADER_BYTES)
        numbers = np.frombuffer(head[: len(head) // 4 * 4], dtype="<i4")
        first = int(numbers[0]) if len(numbers) else 0
        has_header = first in {MAGIC, LLAMA_MAGIC} and len(head) == HEADER_BYTES
        self._offset = HEADER_BYTES if has_header else 0
        self.length, odd = divmod(size - self._offset, 2)
        if has_header and (first, int(numbers[1])) != (MAGIC, VERSION):
            raise CorpusError(
                f"{path} has the header {first}, version {numbers[1]}, where {MAGIC}, version "
                f"{VERSION} is expected: tokens of two bytes; write them as such"
            )
        if odd or (has_header and self.length != numbers[2]):
            there = f"{size - self._offset:,} bytes of tokens"
            wanted = f"{2 * int(numbers[2]):,}" if has_header else "two for each token"
            raise CorpusError(
                f"{path} has {there} where {wanted} are expected; it is truncated, or not a file of "
                "tokens of two bytes: copy or write it again"
            )

    def read(self, start: int, end: int) -> Tokens:
        count = min(end, self.length) - start
        with reading(self._path):
            found = np.fromfile(self._path, "<u2", count, offset=self._offset + 2 * start)
        return found.astype(np.uint16)
