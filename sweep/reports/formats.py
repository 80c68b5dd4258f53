"""The formats of a report.

`FORMATS` is the only list of them: options, file names and documents look there. A new format is
one more entry. Tables and rich are imported only when a document is written, so that the command
line starts quickly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from sweep.terminal.printable import printable
from trainer.errors import UserError

if TYPE_CHECKING:
    from sweep.reports.document import Document

PLAIN_WIDTH = 120
"""Columns of a table that is written to a file."""


@dataclass(frozen=True, kw_only=True)
class ReportFormat:
    """One way to write a document."""

    name: str
    """The value of `--format`."""
    suffixes: tuple[str, ...] = ()
    """Endings of file names that stand for this format, in lower case."""
    write: Callable[[Document], str]
    """Returns the text of a document."""


def _write_table(document: Document) -> str:
    from sweep.reports.document import print_parts
    from sweep.terminal.console import SafeConsole

    plain = SafeConsole(width=PLAIN_WIDTH, no_color=True, force_terminal=False)
    with plain.capture() as captured:
        print_parts(document, plain)
    return captured.get()


def _write_markdown(document: Document) -> str:
    from analysis.tables.table import markdown_table, markdown_text

    parts = [
        markdown_text(part) if isinstance(part, str) else markdown_table(part.columns, part.rows)
        for part in document.shown_parts
    ]
    return printable("\n\n".join(parts)) + "\n"


def _write_csv(document: Document) -> str:
    from analysis.tables.table import csv_table

    return printable(csv_table(document.records))


def _write_json(document: Document) -> str:
    from sweep.reports.document import as_json

    return as_json(document.content)


def _write_latex(document: Document) -> str:
    from analysis.tables.latex import PREAMBLE, latex_table, latex_text

    parts = [
        latex_text(part) if isinstance(part, str) else latex_table(part.columns, part.rows)
        for part in document.shown_parts
    ]
    return printable("\n\n".join([PREAMBLE, *parts])) + "\n"


def _write_html(document: Document) -> str:
    from sweep.pages.render import render
    from sweep.reports.page_parts import plain_page

    return render(document.page() if document.page else plain_page(document))


FORMATS: dict[str, ReportFormat] = {
    each.name: each
    for each in (
        ReportFormat(name="table", suffixes=(".txt",), write=_write_table),
        ReportFormat(name="md", suffixes=(".md",), write=_write_markdown),
        ReportFormat(name="csv", suffixes=(".csv",), write=_write_csv),
        ReportFormat(name="json", suffixes=(".json",), write=_write_json),
        ReportFormat(name="html", suffixes=(".html", ".htm"), write=_write_html),
        ReportFormat(name="latex", suffixes=(".tex",), write=_write_latex),
    )
}

if TYPE_CHECKING:
    Format: TypeAlias = str
else:
    Format = Literal[tuple(FORMATS)]
"""A name in `FORMATS`, as the type of a command's option."""

DEFAULT_FORMAT = "table"
"""Printed to a terminal if neither an option nor a file's name asks for another one."""


def file_suffixes() -> list[str]:
    """The endings of file names that stand for a format."""
    return [suffix for each in FORMATS.values() for suffix in each.suffixes]


def format_of_file(path: Path | None) -> Format:
    """The format that a file's name stands for; the default for a name without a suffix, or None.

    Raises UserError for a suffix that stands for no format.
    """
    suffix = path.suffix.lower() if path else ""
    if not suffix:
        return DEFAULT_FORMAT
    for each in FORMATS.values():
        if suffix in each.suffixes:
            return each.name
    *most, last = file_suffixes()
    raise UserError(
        f"-o {path}: no format has the suffix {path.suffix if path else suffix!r}; end the name in "
        f"{', '.join(most)} or {last}, or name the format with --format"
    )
