"""Tables and sentences of documents as parts of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.tables.table import Column
from sweep.pages.page import Cell, Notes, Page, PageTable, Part, Section
from sweep.reports.document import Document
from sweep.terminal.printable import harmless

TITLE = "sweep"
"""Title of a page that has no other."""
CLASSES: Mapping[str, str] = {
    "bold green": "better",
    "green": "better",
    "bold red": "worse",
    "yellow": "undecided",
    "dim": "negligible",
}
"""The class of a cell, by the style that it has in a terminal."""


def page_table(title: str, columns: Sequence[Column[Any]], rows: Sequence[Any]) -> PageTable:
    """A table of a document for a page."""
    return PageTable(
        title=title,
        headers=[column.title for column in columns],
        numeric=[column.justify == "right" for column in columns],
        rows=[[_cell(column, row) for column in columns] for row in rows],
    )


def _cell(column: Column[Any], row: Any) -> Cell:  # noqa: ANN401  (a row of any table)
    style = column.style(row) if column.style else ""
    text = column.cell(row).replace("-", "−") if column.justify == "right" else column.cell(row)
    return Cell(text=text, tone=CLASSES.get(style, ""))


def plain_page(document: Document) -> Page:
    """A page with the sentences and tables of a document, for results without figures."""
    parts: list[Part] = []
    sentences: list[str] = []
    for part in document.shown_parts:
        if isinstance(part, str):
            sentences.append(part)
            continue
        parts += [Notes(sentences=sentences)] if sentences else []
        sentences = []
        parts.append(page_table(TITLE, part.columns, part.rows))
    parts += [Notes(sentences=sentences)] if sentences else []
    title = harmless(str(document.content.get("study", TITLE)))
    return Page(title=title, sections=[Section(title="Result", parts=parts)])
