"""A document: the result of a command as JSON, as CSV records, and as sentences and tables."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from rich.console import Console
from rich.text import Text

from analysis.tables.names import short_names
from analysis.tables.table import Column, Row, T, left_out, rich_table
from sweep.reports.formats import DEFAULT_FORMAT, FORMATS, Format
from sweep.terminal.console import is_brief, say
from trainer.errors import UserError
from trainer.files import write_whole

if TYPE_CHECKING:
    from sweep.pages.page import Page

LONGEST_NAME = 48
"""Characters of an arm's name in a sentence."""


@dataclass(frozen=True)
class Table(Generic[T]):
    """Rows of one type, and the columns that show them."""

    all_columns: Sequence[Column[T]]
    rows: Sequence[T]
    title: str = ""
    """What it shows, above it on a page; in a terminal the sentence before it says that."""

    @property
    def columns(self) -> list[Column[T]]:
        """The columns that are not empty in every row."""
        return [column for column in self.all_columns if any(map(column.cell, self.rows))]


@dataclass(frozen=True, kw_only=True)
class Document:
    """The result of a command, ready for every format in `sweep.reports.formats.FORMATS`."""

    content: Mapping[str, Any]
    """JSON values."""
    records: Sequence[Row]
    """CSV records, as JSON values; all with the same keys."""
    parts: Sequence[str | Table[Any]]
    """Sentences, each on a line of its own, and tables, for people."""
    names: Sequence[str] = ()
    """Names of arms that sentences have; long ones are cut in the middle there."""
    page: Callable[[], Page] | None = None
    """Makes the page of the document, with figures; None if it has its sentences and tables only."""

    @property
    def shown_parts(self) -> list[str | Table[Any]]:
        """The parts, with short names in sentences."""
        short = short_names(self.names, LONGEST_NAME)
        long = sorted((name for name in short if short[name] != name), key=len, reverse=True)
        return [_with_short_names(part, long, short) for part in self.parts]


def _with_short_names(
    part: str | Table[Any], long: Sequence[str], short: Mapping[str, str]
) -> str | Table[Any]:
    if isinstance(part, str):
        for name in long:
            part = part.replace(name, short[name])
    return part


def print_document(document: Document, form: Format, output: Path | None, console: Console) -> None:
    """Print a document, or write it to a file, whole. Raises UserError."""
    if form == DEFAULT_FORMAT and output is None:
        print_parts(document, console)
    else:
        publish(FORMATS[form].write(document), output, console)


def print_parts(document: Document, console: Console) -> None:
    """Print sentences and tables, as wide as the console."""
    print_some(document.shown_parts, console)


def print_some(parts: Sequence[str | Table[Any]], console: Console) -> None:
    """Print these sentences and tables, as wide as the console."""
    if is_brief(console) and parts and all(isinstance(part, str) for part in parts):
        console.print(Text(str(parts[0])), soft_wrap=True)  # the result is a sentence
    for part in parts:
        if isinstance(part, str):
            say(console, part)
        else:
            console.print(rich_table(part.columns, part.rows, console.width))
            titles = left_out(part.columns, part.rows, console.width)
            if titles and console.is_terminal:
                say(console, f"A wider terminal also shows: {', '.join(titles)}.", "dim")


def publish(text: str, output: Path | None, console: Console) -> None:
    """Print a text unchanged, or write it to a file, whole. Raises UserError."""
    if output is None:
        console.file.write(text)
        return
    publish_bytes(text.encode(), output, console)


def publish_bytes(content: bytes, output: Path, console: Console) -> None:
    """Write a file, whole. Raises UserError."""
    try:
        if output.exists() and not output.is_file():  # a device or a pipe: do not replace it
            output.write_bytes(content)
        else:
            write_whole(Path(os.path.realpath(output)), content)
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error.strerror}") from error
    say(console, f"Written to {output}.")


def finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with None for infinite ones, which JSON cannot hold: bounds that do not exist."""
    return {
        key: None if isinstance(value, float) and math.isinf(value) else value
        for key, value in values.items()
    }


def as_json(content: Any) -> str:  # noqa: ANN401  (JSON)
    """JSON as every command prints it. Raises ValueError for NaN and infinity."""
    return json.dumps(content, indent=1, allow_nan=False) + "\n"
