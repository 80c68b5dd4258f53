"""Curves as characters, for a terminal: dots of braille, with axes and a name at each curve's end.

plotext does the same, but keeps the figure in module globals, and is no dependency otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.text import Text

DOT_ROWS, DOT_COLUMNS = 4, 2
"""Dots of a braille character."""
BRAILLE = 0x2800
BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of the dots in a character, by row and column (Unicode block "Braille Patterns")."""
STYLES = ("cyan", "yellow")
ASCII = "*o"
START_LEFT_OUT = 0.05
"""Share of the steps at whose losses the vertical axis does not look: the first are far above."""


@dataclass(frozen=True)
class Series:
    """A curve. Values that are not finite are gaps."""

    name: str
    steps: Sequence[float]
    values: Sequence[float | None]


@dataclass(frozen=True)
class Frame:
    """The ranges of both axes, and the size of the plot in characters."""

    left: float
    right: float
    low: float
    high: float
    width: int
    height: int

    def column(self, step: float, per_cell: int) -> int:
        """The dot column of a step, with so many of them per character."""
        share = (step - self.left) / (self.right - self.left)
        return round(share * (self.width * per_cell - 1))

    def row(self, value: float, per_cell: int) -> int:
        """The dot row of a value, from the top; values beyond the range are at its edge."""
        share = (self.high - min(self.high, max(self.low, value))) / (self.high - self.low)
        return round(share * (self.height * per_cell - 1))


def plot(
    series: Sequence[Series],
    width: int,
    height: int = 10,
    *,
    unicode: bool = True,
    signed: bool = False,
) -> list[Text]:
    """Lines of a plot for a terminal of `width` columns; none if there is nothing to draw.

    `signed`: the values are differences; zero is marked, and the axis has signs.
    """
    name_width = max((len(each.name) for each in series), default=0) if len(series) > 1 else 0
    room = max(10, width - 11 - name_width - 1)
    frame = _frame(series, room, height, signed=signed)
    if frame is None:
        return []
    cells = [[(" ", "")] * room for _ in range(height)]
    if signed and frame.low < 0 < frame.high:
        cells[frame.row(0.0, 1)] = [("─" if unicode else "-", "dim")] * room
    for number, each in enumerate(series):
        _draw(cells, frame, each, number, unicode=unicode)
    labels = _axis(frame, signed=signed)
    ends = _ends(series, frame) if name_width else {}
    lines = [
        _line(labels[row], cells[row], ends.get(row), unicode=unicode) for row in range(height)
    ]
    corner = "└" if unicode else "+"
    lines.append(Text(" " * 9 + corner + ("─" if unicode else "-") * room, "dim"))
    first, last = f"{frame.left:,.0f}", f"step {frame.right:,.0f}"
    lines.append(Text(f"{'':10}{first:<{max(1, room - len(last))}}{last}", "dim"))
    return lines


def _points(series: Series) -> list[tuple[float, float]]:
    pairs = zip(series.steps, series.values, strict=True)
    return [(step, value) for step, value in pairs if value is not None and math.isfinite(value)]


def _frame(series: Sequence[Series], width: int, height: int, *, signed: bool) -> Frame | None:
    points = [point for each in series for point in _points(each)]
    if not points:
        return None
    left, right = min(point[0] for point in points), max(point[0] for point in points)
    if left == right:
        left, right = left - 1, right + 1
    start = left + START_LEFT_OUT * (right - left)
    judged = [value for step, value in points if step >= start] or [value for _, value in points]
    low, high = min(judged), max(judged)
    if signed:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        margin = max(1e-3, 1e-3 * abs(low))
        low, high = low - margin, high + margin
    return Frame(left, right, low, high, width, height)


def _draw(
    cells: list[list[tuple[str, str]]], frame: Frame, series: Series, number: int, *, unicode: bool
) -> None:
    rows, columns = (DOT_ROWS, DOT_COLUMNS) if unicode else (1, 1)
    dots: dict[tuple[int, int], int] = {}
    for x, y in _dots(frame, _points(series), columns, rows):
        place = y // rows, x // columns
        dots[place] = dots.get(place, 0) | BITS[y % rows][x % columns]
    for (row, column), bits in dots.items():
        before = cells[row][column][0]
        drawn = ord(before) - BRAILLE if BRAILLE <= ord(before) < BRAILLE + 256 else 0
        mark = chr(BRAILLE + (bits | drawn)) if unicode else ASCII[number % len(ASCII)]
        cells[row][column] = mark, STYLES[number % len(STYLES)]


def _dots(
    frame: Frame, points: Sequence[tuple[float, float]], columns: int, rows: int
) -> Iterator[tuple[int, int]]:
    """The dots of the lines between points."""
    places = [(frame.column(step, columns), frame.row(value, rows)) for step, value in points]
    yield from places[:1]
    for (x, y), (next_x, next_y) in pairwise(places):
        number = max(abs(next_x - x), abs(next_y - y), 1)
        for part in range(1, number + 1):
            share = part / number
            yield round(x + share * (next_x - x)), round(y + share * (next_y - y))


def _axis(frame: Frame, *, signed: bool) -> dict[int, str]:
    """The labels of the vertical axis, by row: at the top, in the middle and at the bottom."""
    labels = {}
    for row in range(frame.height):
        labels[row] = ""
    span = frame.high - frame.low
    digits = min(6, max(0, 2 - math.floor(math.log10(span))))
    sign = "+" if signed else ""
    for row in {0, frame.height // 2, frame.height - 1}:
        value = frame.high - span * row / max(1, frame.height - 1)
        labels[row] = f"{value:{sign}.{digits}f}"
    return labels


def _ends(series: Sequence[Series], frame: Frame) -> dict[int, tuple[str, str]]:
    """The name and style of each curve by the row in which it ends, or the next one that is free."""
    found: dict[int, tuple[str, str]] = {}
    last = [(_points(each)[-1][1], number) for number, each in enumerate(series) if _points(each)]
    for value, number in sorted(last, reverse=True):
        row = frame.row(value, 1)
        free = [*range(row, frame.height), *range(row - 1, -1, -1)]
        row = next((each for each in free if each not in found), row)
        found[row] = series[number].name, STYLES[number % len(STYLES)]
    return found


def _line(
    label: str, cells: Sequence[tuple[str, str]], end: tuple[str, str] | None, *, unicode: bool
) -> Text:
    line = Text(f"{label:>8} ", "").append(
        "┤" if unicode and label else "│" if unicode else "|", "dim"
    )
    for mark, style in cells:
        line.append(mark, style or None)
    if end:
        line.append(f" {end[0]}", end[1])
    line.rstrip()
    return line
