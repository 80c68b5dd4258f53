"""Rows as tables: for people (rich), for documents (Markdown, LaTeX) and for programs (CSV).

Everything here takes the plain values that `--format json` prints, so no two formats disagree.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

Row = dict[str, Any]

STYLES = {
    "better": "bold green",
    "worse": "bold red",
    "unstable": "bold red",
    "negligible": "dim",
    "identical": "dim",
    "undecided": "yellow",
    "reference": "dim",
}

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a formula begins with (OWASP, "CSV Injection")."""

WRAPPED = 24
"""Characters of a name or a verdict that columns make room for; what is longer is wrapped first."""


@dataclass(frozen=True)
class Column:
    """A column of a table for people."""

    title: str
    cell: Callable[[Row], str]
    justify: Literal["left", "right"] = "right"
    spare: int = 0
    """Above 0, a terminal may have no room for the column; the highest is left out first."""


def interval(row: Row) -> str:
    """`-0.0123, -0.0101`, or nothing."""
    low, high = row["ci_low"], row["ci_high"]
    return "" if low is None else f"{signed(low)}, {signed(high)}"


def number(value: float | None, digits: int = 4) -> str:
    """Fixed point, or nothing for None."""
    return "" if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 4) -> str:
    """Fixed point with its sign, or nothing for None."""
    return "" if value is None else f"{value:+.{digits}f}"


def probability(value: float | None) -> str:
    """`0.043`, `<0.001`, or nothing for None."""
    if value is None:
        return ""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def times(value: float | None) -> str:
    """`×376`, or nothing for None: how many runs a paired one is worth."""
    if value is None or not math.isfinite(value):
        return ""
    return f"×{value:.0f}" if value >= 10 else f"×{value:.1f}"


def rich_table(columns: Sequence[Column], rows: Sequence[Row], width: int) -> Table:
    """A table for a terminal `width` columns wide.

    Columns that it has no room for are left out as far as they may be; then names and verdicts are
    wrapped, and numbers never.
    """
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    shown, has_room = _with_room(columns, rows, width)
    for column in shown:
        numeric = column.justify == "right"
        table.add_column(column.title, justify=column.justify, no_wrap=numeric, overflow="fold")
    for some in _together(shown, rows) if has_room else ([row] for row in rows):
        table.add_row(*(_cell(column, some) for column in shown))
    return table


def _together(columns: Sequence[Column], rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Rows that take a line each, as many as follow each other; a row that may be wrapped, alone.

    A cell of a thousand lines costs rich a tenth of what a thousand cells do.
    """

    def of_one_line(row: Row) -> bool:
        cells = (column.cell(row) for column in columns if column.justify == "left")
        return all(cell_len(cell) <= WRAPPED and cell.isprintable() for cell in cells)

    for one_line, group in groupby(rows, of_one_line):
        some = list(group)
        yield from [some] if one_line else ([row] for row in some)


def _cell(column: Column, rows: Sequence[Row]) -> Text:
    if column.title != "verdict":
        return Text("\n".join(map(column.cell, rows)))
    styles = (STYLES.get(row.get("verdict") or "", "") for row in rows)
    return Text("\n").join(map(Text, map(column.cell, rows), styles))


def _with_room(
    columns: Sequence[Column], rows: Sequence[Row], width: int
) -> tuple[list[Column], bool]:
    """The columns to be shown, and whether there is room for them with `WRAPPED` names."""
    shown = list(columns)
    needed = {}
    for column in columns:
        widest = max(map(cell_len, [column.title, *map(column.cell, rows)]))
        needed[column.title] = 2 + (widest if column.justify == "right" else min(widest, WRAPPED))
    for column in sorted(columns, key=lambda each: -each.spare):
        if column.spare and sum(needed[each.title] for each in shown) > width:
            shown.remove(column)
    return shown, sum(needed[each.title] for each in shown) <= width


def markdown_table(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """A table in GitHub's Markdown."""
    lines = [
        [column.title for column in columns],
        ["---" if column.justify == "left" else "---:" for column in columns],
        *([_plain(column.cell(row)) for column in columns] for row in rows),
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def markdown_text(text: str) -> str:
    """A sentence as Markdown that shows it as it is, but for what a pair of backquotes encloses."""
    parts = re.split("(`[^`]+`)", text)
    return "".join(part if place % 2 else _plain(part) for place, part in enumerate(parts))


def _plain(text: str) -> str:
    return re.sub(r"[\\*[|~`]|<(?=[a-zA-Z/!?])|(?<!\w)_|_(?!\w)", r"\\\g<0>", text)


def csv_table(rows: Sequence[Row]) -> str:
    """Every field of every row, unrounded; lists joined by `+`, None left empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: _csv_cell(v) for k, v in row.items()})
    return text.getvalue()


def _csv_cell(value: object) -> object:
    """Text that a spreadsheet would take for a formula is marked as text, as they mark it."""
    text = "+".join(value) if isinstance(value, list) else value
    return f"'{text}" if isinstance(text, str) and text.startswith(FORMULA) else text
