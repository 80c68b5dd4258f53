"""Tables of rows for terminals (rich), Markdown and CSV; `analysis.tables.latex` adds LaTeX.

A row may be of any type: each column says how to write its cell. CSV takes records, as JSON does.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Generic, Literal, TypeVar

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from .names import WRAP_WIDTH, short_names

Row = dict[str, Any]
"""A CSV record: JSON values by column."""
T = TypeVar("T")
"""The type of a row."""

STYLES = {
    "better": "bold green",
    "worse": "bold red",
    "unstable": "bold red",
    "negligible": "dim",
    "identical": "dim",
    "undecided": "yellow",
    "reference": "dim",
}
"""Rich styles of verdicts."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Spreadsheets take a text for a formula if it begins with these (OWASP, "CSV Injection")."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Column(Generic[T]):
    """A column of a table for people."""

    title: str
    cell: Callable[[T], str]
    justify: Literal["left", "right"] = "right"
    spare: int = 0
    """Above 0, the column may be left out of a narrow terminal; the highest goes first."""
    style: Callable[[T], str] | None = None
    """The rich style of a row's cell, such as `verdict_style`."""
    is_cut: bool = False
    """True for one line of text, whose end is cut off where a terminal is too narrow."""


def verdict_style(verdict: str | None) -> str:
    """The rich style of a verdict; empty for none."""
    return STYLES.get(verdict or "", "")


def interval_text(low: float | None, high: float | None, digits: int = 4) -> str:
    """`-0.0123, -0.0101`; `unbounded` if it is infinite; empty if there is no interval."""
    if low is not None and math.isinf(low):
        return "unbounded"
    return "" if low is None else f"{signed(low, digits)}, {signed(high, digits)}"


def number(value: float | None, digits: int = 4) -> str:
    """Fixed point; empty for None."""
    return "" if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 4) -> str:
    """Fixed point with its sign; empty for None."""
    return "" if value is None else f"{value:+.{digits}f}"


def probability(value: float | None) -> str:
    """`0.043` or `<0.001`; empty for None."""
    if value is None:
        return ""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def times(value: float | None) -> str:
    """`×376`: how many unpaired runs a paired one is worth; empty for None."""
    if value is None or not math.isfinite(value):
        return ""
    return f"×{value:.0f}" if value >= 10 else f"×{value:.1f}"


def rich_table(columns: Sequence[Column[T]], rows: Sequence[T], width: int) -> Table:
    """A table for a terminal `width` characters wide.

    Spare columns are left out until the rest fits. If it still does not, verdicts and names are
    wrapped, between words as long as that is enough; numbers never are. Names of more than three
    lines are cut in the middle.
    """
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    columns = [_with_short_names(column, rows) for column in columns]
    shown, fits = _fitting_columns(columns, rows, width)
    is_cut = any(column.is_cut for column in shown)
    limits = {} if fits and not is_cut else _wrapped_widths(shown, rows, width)
    for column in shown:
        table.add_column(
            column.title,
            justify=column.justify,
            no_wrap=column.justify == "right" or column.is_cut,
            overflow="ellipsis" if column.is_cut else "fold",
            max_width=limits.get(column.title),
        )
    for group in _group_one_line_rows(shown, rows) if fits else ([row] for row in rows):
        table.add_row(*(_cell(column, group) for column in shown))
    return table


def _with_short_names(column: Column[T], rows: Sequence[T]) -> Column[T]:
    """A column of names, shortened; any other column as it is."""
    if column.justify == "right" or column.style is not None or column.is_cut:
        return column
    short, cell = short_names(map(column.cell, rows)), column.cell
    return replace(column, cell=lambda row: short[cell(row)])


def _wrapped_widths(columns: Sequence[Column[T]], rows: Sequence[T], width: int) -> dict[str, int]:
    """The width of each column whose cells have to be wrapped between words, by title."""
    cells = {column.title: [column.title, *map(column.cell, rows)] for column in columns}
    widths = {title: max(map(cell_len, texts)) for title, texts in cells.items()}
    excess = sum(widths.values()) + 2 * len(widths) - width
    limits = {}
    for column in reversed(columns):
        if column.justify == "left" and excess > 0:
            words = [word for text in cells[column.title] for word in text.split(" ")]
            longest = WRAP_WIDTH if column.is_cut else min(max(map(cell_len, words)), WRAP_WIDTH)
            limit = max(widths[column.title] - excess, longest)
            excess -= widths[column.title] - limit
            limits[column.title] = limit
    return limits


def left_out(columns: Sequence[Column[T]], rows: Sequence[T], width: int) -> list[str]:
    """The titles of the columns that `rich_table` leaves out."""
    shown, _ = _fitting_columns(columns, rows, width)
    return [column.title for column in columns if column not in shown]


def _group_one_line_rows(columns: Sequence[Column[T]], rows: Sequence[T]) -> Iterator[list[T]]:
    """Consecutive rows of one line each as one group; a row that may be wrapped alone.

    Rich lays out one cell of a thousand lines ten times as fast as a thousand cells.
    """

    def is_one_line(row: T) -> bool:
        cells = (column.cell(row) for column in columns if column.justify == "left")
        return all(cell_len(cell) <= WRAP_WIDTH and cell.isprintable() for cell in cells)

    for one_line, group in groupby(rows, is_one_line):
        some = list(group)
        yield from [some] if one_line else ([row] for row in some)


def _cell(column: Column[T], rows: Sequence[T]) -> Text:
    if column.style is None:
        return Text("\n".join(map(column.cell, rows)))
    return Text("\n").join(map(Text, map(column.cell, rows), map(column.style, rows)))


def _fitting_columns(
    columns: Sequence[Column[T]], rows: Sequence[T], width: int
) -> tuple[list[Column[T]], bool]:
    """The columns to show, and true if they fit with names of at most `WRAP_WIDTH` characters."""
    shown = list(columns)
    needed = {}
    for column in columns:
        widest = max(map(cell_len, [column.title, *map(column.cell, rows)]))
        needed[column.title] = 2 + (
            widest if column.justify == "right" else min(widest, WRAP_WIDTH)
        )
    for column in sorted(columns, key=lambda each: -each.spare):
        if column.spare and sum(needed[each.title] for each in shown) > width:
            shown.remove(column)
    return shown, sum(needed[each.title] for each in shown) <= width


def markdown_table(columns: Sequence[Column[T]], rows: Sequence[T]) -> str:
    """A table in GitHub-flavoured Markdown."""
    lines = [
        [column.title for column in columns],
        ["---" if column.justify == "left" else "---:" for column in columns],
        *([_plain(column.cell(row)) for column in columns] for row in rows),
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def markdown_text(text: str) -> str:
    """Escape a sentence for Markdown, except code between a pair of backquotes."""
    parts = re.split("(`[^`]+`)", text)
    return "".join(part if place % 2 else _plain(part) for place, part in enumerate(parts))


def _plain(text: str) -> str:
    return re.sub(r"[\\*[|~`]|<(?=[a-zA-Z/!?])|(?<!\w)_|_(?!\w)", r"\\\g<0>", text)


def csv_table(rows: Sequence[Row]) -> str:
    """Records as CSV: every field, unrounded; lists are joined by `+`, None is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: _csv_cell(v) for k, v in row.items()})
    return text.getvalue()


def _csv_cell(value: object) -> object:
    """A text that a spreadsheet would run as a formula gets the quote that marks text."""
    text = "+".join(value) if isinstance(value, list) else value
    if not isinstance(text, str) or not text.lstrip(" ").startswith(FORMULA_STARTS):
        return text
    return text if _NUMBER.fullmatch(text) else f"'{text}"
