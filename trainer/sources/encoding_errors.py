"""CorpusErrors for files that are not UTF-8, with the line that converts them."""

from __future__ import annotations

import codecs
import shlex
from pathlib import Path

from trainer.errors import CorpusError
from trainer.sources.compression import without_compression
from trainer.sources.text_files import TextFile


def not_utf8(file: TextFile, offset: int) -> CorpusError:
    """The error for a file that is not UTF-8."""
    path, beginning = file.path, file.beginning(2**12)
    if beginning[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        return CorpusError(f"{path} is UTF-16, where UTF-8 is expected; {_convert(path, 'UTF-16')}")
    if b"\0" in beginning:
        return CorpusError(
            f"{path} is a binary file, where text in UTF-8 is expected: byte {offset} is not UTF-8; "
            "leave it out, with data.pattern if it is in a folder"
        )
    return CorpusError(
        f"{path} is not UTF-8: the first invalid byte is at offset {offset}; if it is "
        f"Latin-1, {_convert(path, 'LATIN1')}"
    )


def utf16_without_bom(path: Path) -> CorpusError:
    """The error for a text of which many bytes are zero."""
    return CorpusError(
        f"{path} has many NUL bytes, so it is not text in UTF-8; if it is UTF-16, "
        f"{_convert(path, 'UTF-16LE')}"
    )


def _convert(path: Path, encoding: str) -> str:
    """What to type to convert a file to UTF-8."""
    name = without_compression(path.name)
    stem, dot, suffix = name.rpartition(".")
    new = f"{stem}-utf8{dot}{suffix}" if stem else f"{name}-utf8"
    unpack = "first unpack it, then " if name != path.name else ""
    return (
        f"{unpack}convert it: iconv -f {encoding} -t UTF-8 {shlex.quote(name)} > {shlex.quote(new)}"
    )
