"""Text in UTF-8, whatever encoding it was written in."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from sweep.errors import ResultsError

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
"""Encodings by the byte order mark that a file begins with."""
_LOOKED_AT = 1 << 12
"""Bytes by which UTF-16 without a mark is recognised."""
_BINARY = re.compile(rb"[\x00-\x07\x0e-\x1a\x1c-\x1f]")
"""Bytes that no text has. Logs have backspace (0x08), and escape (0x1b) for colours."""
_EMPTY = "is empty; a file of results has a row for each run"


@dataclass(frozen=True, kw_only=True)
class Text:
    """The text of a file."""

    content: bytes
    """UTF-8 without a byte order mark."""
    remarks: tuple[str, ...] = ()


def read_text(content: bytes, path: Path) -> Text:
    """Return the text of a file. Raises ResultsError if it is empty or no text.

    What is neither UTF-8 nor UTF-16 is taken for Windows-1252, which has all letters of Latin-1.
    """
    mark = next((mark for mark in _MARKS if content.startswith(mark)), b"")
    content = content[len(mark) :]
    encoding = _MARKS.get(mark) or _encoding(content)
    remarks: tuple[str, ...] = ()
    if encoding != "utf-8":
        try:
            content = content.decode(encoding).encode()
        except UnicodeDecodeError as error:
            raise ResultsError(f"{path} is not text in UTF-16 (near byte {error.start})") from error
    if found := _BINARY.search(content):
        raise ResultsError(
            f"{path} is binary (byte {content[found.start()]} at {found.start()}); results are read "
            "from CSV, JSON, JSON Lines and Parquet"
        )
    if not content.strip():
        raise ResultsError(f"{path} {_EMPTY}")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        content = content.decode("cp1252", errors="replace").encode()
        remarks = (f"{path} is not UTF-8 (near byte {error.start}): read as Windows-1252.",)
    return Text(content=content, remarks=remarks)


def _encoding(content: bytes) -> str:
    """Return the encoding of a file without a mark: every second byte of UTF-16 is mostly 0."""
    start = content[:_LOOKED_AT]
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        bytes_ = start[offset::2]
        others = start[1 - offset :: 2]
        if len(bytes_) > 1 and bytes_.count(0) > 0.9 * len(bytes_) and 0 not in others:
            return encoding
    return "utf-8"
