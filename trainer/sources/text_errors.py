"""CorpusErrors for files that cannot be read as text."""

from __future__ import annotations

import codecs
import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from trainer.errors import CorpusError


def unreadable(path: Path, error: OSError) -> CorpusError:
    """The error for a file that cannot be read."""
    reason = os.strerror(error.errno) if error.errno else error  # pyarrow adds more text
    return CorpusError(f"{path} cannot be read ({reason})")


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise CorpusError if a file cannot be read."""
    try:
        yield
    except OSError as error:
        raise unreadable(path, error) from error


def not_utf8(path: Path, offset: int) -> CorpusError:
    """The error for a file that is not UTF-8."""
    with path.open("rb") as file:
        if file.read(2) in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
            return CorpusError(
                f"{path} is UTF-16, where UTF-8 is expected; convert it: "
                f"iconv -f UTF-16 -t UTF-8 {path.name} > {path.stem}-utf8{path.suffix}"
            )
    return CorpusError(
        f"{path} is not UTF-8: the first byte that is not lies at offset {offset}; convert the "
        "file, for example with iconv"
    )


def no_column(where: str, column: str, columns: Sequence[str]) -> CorpusError:
    """The error for a table without the column of text."""
    known = ", ".join(sorted(columns)[:20]) or "none"
    return CorpusError(
        f"{where} has no column {column!r}; its columns: {known}; name the one with the text as "
        "data.text_column"
    )
