"""What a command has found, in every format: for programs its values, for people a document."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from analysis.tables.latex import PREAMBLE, latex_table, latex_text
from analysis.tables.table import Column, Row, csv_table, markdown_table, markdown_text, rich_table
from sweep.terminal.console import SafeConsole, say
from sweep.terminal.printable import printable
from trainer.errors import UserError
from trainer.files import write_whole

Format = Literal["table", "md", "csv", "json", "latex"]
PLAIN_WIDTH = 120
"""Columns of a table that is written to a file."""


@dataclass(frozen=True)
class Table:
    """Rows, and how they are shown."""

    all_columns: Sequence[Column]
    rows: Sequence[Row]

    @property
    def columns(self) -> list[Column]:
        """Those that say something of a row."""
        return [column for column in self.all_columns if any(map(column.cell, self.rows))]


@dataclass(frozen=True, kw_only=True)
class Document:
    """What a command has found."""

    content: Mapping[str, Any]
    """As JSON has it."""
    records: Sequence[Row]
    """As CSV has it."""
    parts: Sequence[str | Table]
    """As people read it: sentences, each on a line of its own, and tables."""


def print_document(document: Document, form: Format, output: Path | None, console: Console) -> None:
    """Print it, or write it to a file, whole. Raises UserError."""
    if form == "table" and output is None:
        _print(document, console)
    else:
        publish(_text(document, form), output, console)


def publish(text: str, output: Path | None, console: Console) -> None:
    """Print a text as it is, or write it to a file, whole. Raises UserError."""
    if output is None:
        console.file.write(text)
        return
    try:
        if output.exists() and not output.is_file():  # a device or a pipe, which is to remain one
            output.write_bytes(text.encode())
        else:
            write_whole(Path(os.path.realpath(output)), text.encode())
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error.strerror}") from error
    say(console, f"Written to {output}.")


def as_json(content: Any) -> str:  # noqa: ANN401  (JSON)
    """As every command prints it."""
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _print(document: Document, console: Console) -> None:
    for part in document.parts:
        if isinstance(part, str):
            say(console, part)
        else:
            console.print(rich_table(part.columns, part.rows, console.width))


def _text(document: Document, form: Format) -> str:
    if form == "json":
        return as_json(document.content)
    if form == "csv":
        return printable(csv_table(document.records))
    if form == "table":
        plain = SafeConsole(width=PLAIN_WIDTH, no_color=True, force_terminal=False)
        with plain.capture() as captured:
            _print(document, plain)
        return captured.get()
    render = {"md": _markdown, "latex": _latex}[form]
    head = [PREAMBLE] if form == "latex" else []
    return printable("\n\n".join([*head, *map(render, document.parts)])) + "\n"


def _markdown(part: str | Table) -> str:
    if isinstance(part, str):
        return markdown_text(part)
    return markdown_table(part.columns, part.rows)


def _latex(part: str | Table) -> str:
    return latex_text(part) if isinstance(part, str) else latex_table(part.columns, part.rows)
