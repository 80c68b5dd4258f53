"""Names of tokenizers that were read from a file: they identify its content, not its path.

A study names the path of a `tokenizer.json`; its recipes hold `file-VOCABULARY-END-HASH` instead, so
that a run is identified by the tokenizer, wherever its file is.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

MAX_VOCABULARY = 2**16
"""The largest vocabulary: token ids are stored in two bytes."""

_NAME = re.compile(
    r"file-(?P<vocabulary>[1-9][0-9]{0,4})-(?P<end>0|[1-9][0-9]{0,4})-(?P<hash>[0-9a-f]{16})"
)


class FileName(NamedTuple):
    """The parts of such a name."""

    vocabulary: int
    """Number of token ids."""
    end_of_text: int
    """The id of the end-of-text token."""
    hash: str
    """The first 16 digits of the SHA-256 of the file."""


def name_of(content: bytes, vocabulary: int, end_of_text: int) -> str:
    """The name of the tokenizer in a file with this content."""
    return f"file-{vocabulary}-{end_of_text}-{_hash(content)}"


def parse_name(tokenizer: str) -> FileName | None:
    """The parts of a name; None for a tokenizer that is not from a file."""
    found = _NAME.fullmatch(tokenizer)
    if found is None:
        return None
    name = FileName(int(found["vocabulary"]), int(found["end"]), found["hash"])
    return name if name.end_of_text < name.vocabulary <= MAX_VOCABULARY else None


def is_named(content: bytes, name: FileName) -> bool:
    """True if a file with this content has the name."""
    return _hash(content) == name.hash


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
