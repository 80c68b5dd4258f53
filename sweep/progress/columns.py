"""Rows of cells as lines of equal columns, for a display that is drawn every second.

Rich's own tables measure every cell several times: they take ten times as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from sweep.terminal.printable import printable

GAP = "  "
MIN_NAME = 8
"""Columns that a name keeps in a narrow terminal."""


@dataclass(frozen=True)
class Column:
    """A column of a display."""

    title: str
    cells: Sequence[str]
    right: bool = True
    """True to align its cells on the right."""
    spare: int = 0
    """Above 0, it may be left out of a narrow terminal; the highest goes first."""
    styles: Sequence[str] = ()
    """A style for each cell."""
    shrinks: bool = False
    """True if its cells may be cut off."""

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return max(map(cell_len, (self.title, *self.cells)))


def lines(columns: Sequence[Column], width: int) -> list[Text]:
    """The titles and the rows. Columns without content are left out, then those to spare."""
    shown = [each for each in columns if any(each.cells) or not each.spare]
    while _width(shown) > width and any(each.spare for each in shown):
        shown.remove(max(shown, key=lambda each: each.spare))
    widths = [each.width for each in shown]
    excess = _width(shown) - width
    for place, column in enumerate(shown):
        if column.shrinks and excess > 0:
            kept = max(MIN_NAME, widths[place] - excess)
            excess -= widths[place] - kept
            widths[place] = kept
    head = Text(style="dim")
    rows = [Text() for _ in columns[0].cells]
    for column, wide in zip(shown, widths, strict=True):
        head.append(_cell(column.title, wide, right=column.right) + GAP)
        styles = column.styles or [""] * len(rows)
        for row, cell, style in zip(rows, column.cells, styles, strict=True):
            row.append(_cell(cell, wide, right=column.right), style or None)
            row.append(GAP)
    made = [head, *rows]
    for line in made:
        line.rstrip()
        line.truncate(width)
    return made


def _width(columns: Sequence[Column]) -> int:
    return sum(each.width for each in columns) + len(GAP) * (len(columns) - 1)


def _cell(text: str, width: int, *, right: bool) -> str:
    text = printable(text).replace("\n", " ").replace("\t", " ")
    if cell_len(text) > width:
        text = _cut(text, width - 1) + "…"
    space = " " * (width - cell_len(text))
    return space + text if right else text + space


def _cut(text: str, width: int) -> str:
    while cell_len(text) > width:
        text = text[:-1]
    return text
