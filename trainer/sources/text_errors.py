"""CorpusErrors for files that cannot be read as text."""

from __future__ import annotations

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


def no_column(where: str, column: str, columns: Sequence[str]) -> CorpusError:
    """The error for a table without the column of text."""
    known = ", ".join(sorted(columns)[:20]) or "none"
    return CorpusError(
        f"{where} has no column {column!r}; its columns: {known}; name the one with the text as "
        "data.text_column"
    )


def repeated_column(where: str, column: str) -> CorpusError:
    """The error for a table with several columns of one name."""
    return CorpusError(f"{where} has more than one column {column!r}; rename or remove all but one")


def an_object(where: str, column: str, fields: Sequence[str]) -> CorpusError:
    """The error for objects in place of text."""
    known = ", ".join(fields[:20]) or "none"
    return CorpusError(
        f"{where} has objects in {column!r}, not text; their fields: {known}; name the one with the "
        "text as data.text_column"
    )


def a_list(where: str, column: str) -> CorpusError:
    """The error for lists, such as the messages of a chat, in place of text."""
    return CorpusError(
        f"{where} has lists in {column!r}, not text; write the messages or parts of each row into one "
        "string first, for example with a chat template: `dataset.map(lambda row: {'text': "
        f"tokenizer.apply_chat_template(row[{column!r}], tokenize=False)}})`"
    )
