"""Sentences about files whose text cannot be had."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trainer.errors import CorpusError


def unreadable(path: Path, error: OSError) -> CorpusError:
    """For a file that cannot be read."""
    return CorpusError(f"{path} cannot be read ({error.strerror or error})")


def not_utf8(path: Path, offset: int) -> CorpusError:
    """For a file with a byte that is no UTF-8."""
    return CorpusError(
        f"{path} is not UTF-8: the first byte that is not lies at offset {offset}; convert the "
        "file, for example with iconv"
    )


def no_column(where: str, column: str, columns: Sequence[str]) -> CorpusError:
    """For a table that has not the column with the text."""
    known = ", ".join(sorted(columns)[:20]) or "none"
    return CorpusError(
        f"{where} has no column {column!r}; its columns: {known}; name the one with the text as "
        "data.text_column"
    )
