"""Where a corpus comes from: what it says of itself, and its text in pieces."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from trainer.recipe import DataConfig
from trainer.tokens import Tokens

PIECE = 2**21
"""Bytes of text that are encoded at once: memory goes by it, and so does `max_tokens`."""

FORMAT = 1
"""Part of each hash but python-stdlib's; raised when the same text would be cut otherwise."""

MAX_FILE_NAMES = 20
"""File names that are recorded with each result; the hash stands for all of them."""

OWN_TEST = ("validation", "test")
"""A dataset's own splits that are used for testing: the first of these that it has. The other one
stays unread, for whoever wants to know how good the changes are that were chosen by this one."""

_PLACES = (
    re.compile(r"(?<=\S)[ \n](?=\S)"),  # before the white space
    re.compile(r"(?<=[^\W_])(?=[^\w\s])"),  # between a letter and a mark, for scripts without any
)
"""Where every tokenizer cuts, so that both sides are encoded alone as they are together."""


@dataclass(frozen=True)
class Origin:
    """What a corpus is made from; recorded with each result."""

    hash: str
    """SHA-256 of the text, or of what pins it (a commit), and of how it is read and split."""
    files: tuple[str, ...]
    """Names, as they lie below the corpus; the first ones of many."""
    revision: str | None
    """The commit of a dataset on the hub."""
    split: str
    """Which documents are for testing, in words."""


class Text(NamedTuple):
    """A document, or a part of one."""

    content: bytes | Tokens
    """UTF-8; or tokens, end-of-text among them, where somebody has encoded it before."""
    is_test: bool
    ends: bool = True
    """Whether the document ends here; else the next text continues it, after a place at which
    every tokenizer cuts."""


class Piece(NamedTuple):
    """A stretch of a corpus that is encoded by itself, in any thread."""

    size: int
    """Roughly the bytes of its text: for progress."""
    resume: Any
    """JSON with which `Source.pieces` goes on after this piece."""
    texts: Callable[[], Iterator[Text]]
    """Its documents in order. Raises CorpusError for what cannot be read."""


class Source(Protocol):
    """A corpus that has not been encoded yet."""

    def origin(self) -> Origin:
        """What it is. Raises CorpusError when it cannot be had."""

    @property
    def size(self) -> int | None:
        """Roughly the bytes of all its text; None where nobody knows before it is read."""

    def pieces(self, resume: Any = None) -> Iterator[Piece]:  # noqa: ANN401  (JSON)
        """Its pieces in order: all, or those after the piece whose `resume` is given."""


def digest(data: DataConfig, kind: str, contents: Sequence[str]) -> str:
    """The hash of a corpus: of its contents' hashes, in order, and of how they are read."""
    reading = {"test_share": data.test_share, "max_tokens": data.max_tokens}
    described = json.dumps([FORMAT, PIECE, kind, reading, *contents])
    return hashlib.sha256(described.encode()).hexdigest()


def is_for_testing(text: bytes, share: float) -> bool:
    """Whether a document is kept for testing: by its text, so that a copy is on the same side."""
    return part_of_one(hashlib.sha256(text).digest()) < share


def part_of_one(hashed: bytes) -> float:
    """A number in [0, 1) from the first six bytes of a hash."""
    return int.from_bytes(hashed[:6], "big") / 2**48


def split_words(share: float) -> str:
    """The rule of `is_for_testing`, for people."""
    return f"{share:g} of the documents are for testing, by the SHA-256 of their text"


def first_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names that are recorded."""
    more = len(names) - MAX_FILE_NAMES
    return (*names[:MAX_FILE_NAMES], f"and {more} more") if more > 0 else tuple(names)


def stretches(text: bytes) -> Iterator[bytes]:
    """A long text in parts of about PIECE bytes that can be encoded one by one."""
    start = 0
    while len(text) - start > 2 * PIECE:
        window = text[start : start + PIECE]
        end = start + last_cut(window)
        yield text[start:end]
        start = end
    yield text[start:] if start else text


def last_cut(window: bytes, reach: int = 2**16) -> int:
    """The last place at which every tokenizer cuts, within `reach` bytes of the window's end.

    Where there is none, as in megabytes of one letter, the beginning of the last character.
    """
    begin = max(0, len(window) - reach)
    near = window[begin:].decode(errors="surrogateescape")
    for pattern in _PLACES:
        places = [match.start() for match in pattern.finditer(near) if match.start() > 0]
        if places:
            return begin + len(near[: places[-1]].encode(errors="surrogateescape"))
    for back in range(1, 5):
        if len(window) > back and window[-back] & 0xC0 != 0x80:  # no continuation of a character
            return len(window) - back
    return len(window)
