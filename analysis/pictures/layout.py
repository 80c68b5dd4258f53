"""Where the parts of a figure go: legend, panels and their margins, for a given width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .figure import Figure, Key, Panel
from .text_width import text_width

TEXT, SMALL = 13.0, 12.0
"""Font sizes, in points of a page, 1/96 inch."""
NARROW = 500.0
"""Below this width a figure is one for phones."""
LINE = 18.0
"""Height of a line of text."""
KEY_WIDTH, KEY_GAP = 22.0, 18.0
"""Width of a legend's sign, and space between its entries."""
GAP = 18.0
"""Space between panels."""
RIGHT = 8.0
"""Space at the right, for half of the last tick's label."""
LARGEST_LABEL = 0.3
"""Share of the width that labels of rows or of ticks take at most."""
NAME_LINE = 17.0
"""Height of the name above a row on a phone."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """The area between the axes of a panel."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The x coordinate of its right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """The y coordinate of its lower edge."""
        return self.top + self.height


@dataclass(frozen=True, kw_only=True)
class PlacedPanel:
    """A panel and where it goes."""

    panel: Panel
    box: Box
    top: float
    """Top of its titles."""
    names_above: bool
    """True if the name of a row is above it, not at its left."""
    has_x_labels: bool
    has_y_labels: bool
    has_notes: bool


@dataclass(frozen=True, kw_only=True)
class PlacedKey:
    """An entry of the legend and where it begins."""

    key: Key
    left: float
    top: float


@dataclass(frozen=True, kw_only=True)
class Layout:
    """All parts of a figure with their places."""

    width: float
    height: float
    keys: Sequence[PlacedKey]
    panels: Sequence[PlacedPanel]
    y_title_top: float
    """Top of the line with the title of shared y axes."""


def lay_out(figure: Figure, width: float) -> Layout:
    """Place the parts of a figure in an area of this width."""
    keys, top = _place_keys(figure.keys, width)
    title_top = top
    top += LINE if figure.y_title else 0.0
    grid = _Grid(figure, width)
    placed: list[PlacedPanel] = []
    for row, below in zip(grid.rows, [*grid.rows[1:], []], strict=True):
        found = grid.place(row, top, len(below))
        placed += found
        top = max(each.box.bottom + _below(each) for each in found) + GAP / 2
    height = top - GAP / 2 + (LINE if figure.x_title else 0.0)
    return Layout(width=width, height=height, keys=keys, panels=placed, y_title_top=title_top)


def _place_keys(keys: Sequence[Key], width: float) -> tuple[list[PlacedKey], float]:
    """The legend, in as many lines as it needs, and where it ends."""
    placed: list[PlacedKey] = []
    left, top = 0.0, 0.0
    for key in keys:
        needed = KEY_WIDTH + text_width(key.label, SMALL)
        if left and left + needed > width:
            left, top = 0.0, top + LINE
        placed.append(PlacedKey(key=key, left=left, top=top))
        left += needed + KEY_GAP
    return placed, top + LINE + 8 if keys else 0.0


class _Grid:
    """The panels of a figure in lines of equally many."""

    def __init__(self, figure: Figure, width: float) -> None:
        self._shares_axes = figure.shares_axes
        self._width = width
        self._narrow = width < NARROW
        self._columns = figure.narrow_columns if self._narrow else figure.columns
        every = range(0, len(figure.panels), self._columns)
        self.rows = [figure.panels[at : at + self._columns] for at in every]

    def place(self, row: Sequence[Panel], top: float, below: int) -> list[PlacedPanel]:
        """Place one line; `below` is how many panels the next one has."""
        margins = self._margins(row)
        notes = [0.0 if self._narrow else _notes_width(panel) for panel in row]
        free = self._width - sum(margins) - sum(notes) - GAP * (self._columns - 1) - RIGHT
        each = free / self._columns  # panels of a line that is not full are as wide as the others
        head = max(_above(panel) for panel in row)
        placed, left = [], 0.0
        for place, panel in enumerate(row):
            height = _height(panel, narrow=self._narrow)
            box = Box(left=left + margins[place], top=top + head, width=each, height=height)
            placed.append(
                PlacedPanel(
                    panel=panel,
                    box=box,
                    top=top,
                    names_above=self._narrow and panel.has_rows,
                    has_x_labels=not self._shares_axes or place >= below,
                    has_y_labels=place == 0 or not self._shares_axes,
                    has_notes=bool(notes[place]),
                )
            )
            left = box.right + notes[place] + GAP
        return placed

    def _margins(self, row: Sequence[Panel]) -> list[float]:
        """The room at the left of each panel, for tick labels or names of rows."""
        needed = [_left_margin(panel, self._width, narrow=self._narrow) for panel in row]
        return [max(needed), *(0.0 for _ in row[1:])] if self._shares_axes else needed


def _height(panel: Panel, *, narrow: bool) -> float:
    lines = len(panel.y.ticks) * NAME_LINE if narrow and panel.has_rows else 0.0
    return panel.height + lines


def _above(panel: Panel) -> float:
    """Height of the titles above a panel."""
    has_y_title = bool(panel.y.title) and not panel.has_rows
    return LINE * (bool(panel.title) + has_y_title) + 6


def _below(placed: PlacedPanel) -> float:
    """Height of tick labels and title below a panel."""
    if not placed.has_x_labels:
        return 4.0
    return LINE + (LINE if placed.panel.x.title else 0.0) + 4


def _left_margin(panel: Panel, width: float, *, narrow: bool) -> float:
    if narrow and panel.has_rows:
        return 4.0
    widest = max((text_width(tick.label, SMALL) for tick in panel.y.ticks), default=0.0)
    return min(widest, LARGEST_LABEL * width) + 10


def _notes_width(panel: Panel) -> float:
    return max((text_width(note, SMALL) + 14 for note in panel.notes), default=0.0)
