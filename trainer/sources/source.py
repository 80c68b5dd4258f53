"""The source of a corpus: its description, and its text in pieces."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from trainer.recipe import DataConfig
from trainer.tokens import Tokens
from trainer.words import with_rest

PIECE = 2**21
"""Bytes of text per piece. It determines how much memory is needed, and where `max_tokens` stops
reading."""

FORMAT = 1
"""Part of each hash except python-stdlib's; increased when the same text is split differently."""

MAX_FILE_NAMES = 20
"""File names that are recorded with each result; the hash covers all files."""

VALIDATION = ("validation", "valid", "val", "dev", "eval", "evaluation")
"""Names of a validation split."""
OWN_TEST = (*VALIDATION, "test", "testing")
"""Splits of a dataset that are used for testing: the first of these that it has. A `test` split
beside it stays unread, for a final test of the changes that were chosen on this one."""

_CUTS = (
    re.compile(r"(?<=\S)[ \n](?=\S)"),  # before white space
    re.compile(
        r"(?<=[^\W_])(?=[^\w\s])"
    ),  # between a letter and punctuation, for scripts without spaces
)
"""Positions where every tokenizer splits: encoding both sides separately gives the same tokens."""


@dataclass(frozen=True)
class Origin:
    """The description of a source; recorded with each result."""

    hash: str
    """SHA-256 of the text, or of the commit that pins it, and of the settings for reading it."""
    files: tuple[str, ...]
    """Names of the files, relative to the corpus; only the first ones if there are many."""
    revision: str | None
    """The commit of a dataset on the hub."""
    split: str
    """The rule that selects the test documents, in words."""
    is_one_text: bool = False
    """True for a single text, which is cut in two and has no documents to count."""


class Text(NamedTuple):
    """A document, or a part of one."""

    content: bytes | Tokens
    """UTF-8; or tokens with end-of-text between documents, if the source is encoded already."""
    is_test: bool
    ends: bool = True
    """True if the document ends here; otherwise the next text continues it at one of `_CUTS`."""


class Piece(NamedTuple):
    """A part of a corpus that can be encoded independently, in any thread."""

    size: int
    """Approximate bytes of its text, for the progress display."""
    resume: Any
    """A JSON value with which `Source.pieces` continues after this piece."""
    texts: Callable[[], Iterator[Text]]
    """Its documents in order. Raises CorpusError if they cannot be read."""


class Source(Protocol):
    """A corpus that has not been encoded yet."""

    def origin(self) -> Origin:
        """Its description. Raises CorpusError if the source cannot be read."""

    @property
    def size(self) -> int | None:
        """Approximate bytes of all its text; None if that is unknown before reading."""

    def pieces(self, resume: Any = None) -> Iterator[Piece]:  # noqa: ANN401  (JSON)
        """Its pieces in order, starting after the piece with this `resume`; None for all."""


def digest(data: DataConfig, kind: str, contents: Sequence[str]) -> str:
    """The hash of a corpus: of the hashes of its contents, in order, and the reading settings."""
    reading = {"test_share": data.test_share, "max_tokens": data.max_tokens}
    described = json.dumps([FORMAT, PIECE, kind, reading, *contents])
    return hashlib.sha256(described.encode()).hexdigest()


def is_for_testing(text: bytes, share: float) -> bool:
    """True if a document is for testing. A hash of its text decides, so copies are in one split."""
    return part_of_one(hashlib.sha256(text).digest()) < share


def part_of_one(hashed: bytes) -> float:
    """A number in [0, 1) from the first six bytes of a hash."""
    return int.from_bytes(hashed[:6], "big") / 2**48


def split_rule(share: float) -> str:
    """The rule of `is_for_testing`, in words."""
    return f"{share:g} of the documents are for testing, by the SHA-256 of their text"


def dataset_rule(own: str | None, unread: Sequence[str], share: float) -> str:
    """How a dataset with splits is split: `own` is the one for testing; `unread` are not used."""
    rule = f"the dataset's split {own} is for testing" if own else split_rule(share)
    if not unread:
        return rule
    words = f"split {unread[0]} stays" if len(unread) == 1 else f"splits {', '.join(unread)} stay"
    return f"{rule}; its {words} unread"


def first_names(names: Sequence[str]) -> tuple[str, ...]:
    """The first MAX_FILE_NAMES names, and how many more there are."""
    return tuple(with_rest(names, MAX_FILE_NAMES))


def stretches(text: bytes) -> Iterator[bytes]:
    """Split a long text into parts of about PIECE bytes that can be encoded separately."""
    start = 0
    while len(text) - start > 2 * PIECE:
        window = text[start : start + PIECE]
        end = start + last_cut(window)
        yield text[start:end]
        start = end
    yield text[start:] if start else text


def last_cut(window: bytes, reach: int = 2**16) -> int:
    """The last of `_CUTS` within `reach` bytes of the window's end.

    If there is none, as in megabytes of one letter, the start of the last character.
    """
    begin = max(0, len(window) - reach)
    near = window[begin:].decode(errors="surrogateescape")
    for pattern in _CUTS:
        places = [match.start() for match in pattern.finditer(near) if match.start() > 0]
        if places:
            return begin + len(near[: places[-1]].encode(errors="surrogateescape"))
    for back in range(1, 5):
        if len(window) > back and window[-back] & 0xC0 != 0x80:  # no continuation of a character
            return len(window) - back
    return len(window)
