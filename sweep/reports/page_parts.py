"""Tables and sentences of documents as parts of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from analysis.tables.table import Column
from sweep.figures.line import line_figure
from sweep.pages.page import Cell, Facts, Notes, Page, PageFigure, PageTable, Part, Section
from sweep.reports.document import Document, Table
from sweep.reports.page import Facts as TextFacts
from sweep.reports.page import Part as TextPart
from sweep.reports.page import Plot
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
    parts = web_parts(document.shown_parts)
    title = harmless(str(document.content.get("study", TITLE)))
    return Page(title=title, sections=[Section(title="Result", parts=parts)])


def web_parts(parts: Sequence[TextPart], caption: str = TITLE) -> list[Part]:
    """The parts of a page for a terminal, for a browser; several sentences in a row become a list.

    `caption` is that of tables without a title. A plot has one curve.
    """
    made: list[Part] = []
    for is_text, group in groupby(parts, lambda part: isinstance(part, str)):
        if is_text:
            sentences = [str(part) for part in group if part]
            made += [Notes(sentences=sentences)] if len(sentences) > 1 else sentences
        else:
            made += [each for part in group if (each := _web_part(part, caption)) is not None]
    return made


def _web_part(part: TextPart, caption: str) -> Part | None:
    """None for a plot without points."""
    match part:
        case TextFacts():
            return Facts(items=[(name, text) for name, text in part.rows if text])
        case Plot():
            [curve] = part.series
            points = zip(curve.steps, curve.values, strict=True)
            figure = line_figure(points, harmless(part.title), "", signed=part.signed)
            return PageFigure(figure=figure, caption=harmless(part.title)) if figure else None
        case Table():
            return page_table(part.title or caption, part.columns, part.rows)
        case _:
            return part
