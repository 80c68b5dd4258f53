"""Where a corpus comes from: what it says of itself, and its text in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol


@dataclass(frozen=True)
class Origin:
    """What a corpus is made from; recorded with each result."""

    hash: str
    """SHA-256 of the text, or of what pins it (a commit), and of how it is read and split."""
    files: tuple[str, ...]
    """Names, as they lie below the corpus."""
    revision: str | None
    """The commit of a dataset on the hub."""
    split: str
    """Which documents are for testing, in words."""


class Text(NamedTuple):
    """A document, or a part of one, in UTF-8."""

    text: bytes
    is_test: bool
    ends: bool = True
    """Whether the document ends here; else the next text continues it, and the place between
    them is one at which every tokenizer cuts."""


class Piece(Protocol):
    """A stretch of a corpus that a process reads by itself; can be pickled."""

    @property
    def size(self) -> int:
        """Roughly the bytes of its text: for progress."""

    @property
    def resume(self) -> Mapping[str, Any]:
        """JSON with which `Source.pieces` goes on after this piece."""

    def texts(self) -> Iterator[Text]:
        """Its documents in order. Raises CorpusError for what cannot be read as text."""


class Source(Protocol):
    """A corpus that has not been encoded yet."""

    def origin(self) -> Origin:
        """What it is. Raises CorpusError when it cannot be had."""

    @property
    def size(self) -> int | None:
        """Roughly the bytes of all its text; None where nobody knows before it is read."""

    def pieces(self, resume: Mapping[str, Any] | None = None) -> Iterator[Piece]:
        """Its pieces in order: all, or those after the piece whose `resume` is given."""
