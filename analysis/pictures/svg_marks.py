"""Draw the marks of a panel as SVG elements."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from .figure import (
    Bar,
    Dots,
    Interval,
    Label,
    Line,
    Mark,
    Ribbon,
    Rule,
    Shape,
    Span,
    Tone,
)
from .layout import NAME_LINE, SMALL, PlacedPanel
from .text_width import text_width

CAP = 4.0
"""Half the height of an interval's cap."""


class Canvas:
    """The coordinates of a placed panel."""

    def __init__(self, placed: PlacedPanel) -> None:
        self._panel, self._box = placed.panel, placed.box
        self._rows = len(placed.panel.y.ticks) if placed.names_above else 0

    @property
    def left(self) -> float:
        """The x coordinate of the left edge."""
        return self._box.left

    @property
    def x_low(self) -> float:
        """The value at the left edge."""
        return self._panel.x.low

    @property
    def right(self) -> float:
        """The x coordinate of the right edge."""
        return self._box.right

    @property
    def top(self) -> float:
        """The y coordinate of the upper edge."""
        return self._box.top

    @property
    def bottom(self) -> float:
        """The y coordinate of the lower edge."""
        return self._box.bottom

    def x(self, value: float) -> float:
        """The coordinate of a value on the x axis."""
        return self._box.left + self._panel.x.fraction(value) * self._box.width

    def y(self, value: float) -> float:
        """The coordinate of a value on the y axis; below the names of rows, if these are above."""
        if not self._rows:
            return self._box.bottom - self._panel.y.fraction(value) * self._box.height
        row = self._box.height / self._rows
        place = round(value)
        inner = row - NAME_LINE
        return self.row_top(place) + NAME_LINE + (value - place + 0.5) * inner

    def row_top(self, number: int) -> float:
        """The upper edge of a row."""
        rows = len(self._panel.y.ticks)
        return self._box.top + number * self._box.height / rows

    def half_width(self, text: str) -> float:
        """Half the width of a tick's label."""
        return text_width(text, SMALL) / 2

    @staticmethod
    def is_ground(mark: Mark) -> bool:
        """True for bands, which are drawn below the grid."""
        return isinstance(mark, Span)


def coordinate(value: float) -> str:
    """A number with one decimal, without a needless zero."""
    return f"{value:.1f}".removesuffix(".0")


def add_text(  # noqa: PLR0913
    parent: Element,
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    tone: Tone = "ink",
    tip: str = "",
) -> Element:
    """Add a line of text that begins, ends or is centred at a point of its base line."""
    attributes = {"x": coordinate(x), "y": coordinate(y), "class": "x"}
    if tone != "ink":
        attributes["class"] += f" t-{tone}"
    if anchor != "start":
        attributes["text-anchor"] = anchor
    made = SubElement(parent, "text", attributes)
    made.text = text
    _add_tip(made, tip)
    return made


def add_symbol(parent: Element, x: float, y: float, shape: Shape, radius: float) -> Element:
    """Add the sign of a point; its colour is that of the parent's class."""
    if shape in {"circle", "ring"}:
        place = {"cx": coordinate(x), "cy": coordinate(y), "r": coordinate(radius)}
        return SubElement(parent, "circle", {**place, "class": "d" if shape == "circle" else "o"})
    if shape == "cross":
        far = radius * 0.8
        path = f"M{_xy(x - far, y - far)}L{_xy(x + far, y + far)}M{_xy(x - far, y + far)}L{_xy(x + far, y - far)}"
        return SubElement(parent, "path", {"d": path, "class": "s", "stroke-width": "1.5"})
    corners = _corners(shape, radius)
    path = "M" + "L".join(_xy(x + dx, y + dy) for dx, dy in corners) + "Z"
    return SubElement(parent, "path", {"d": path, "class": "d"})


def _corners(shape: Shape, radius: float) -> list[tuple[float, float]]:
    if shape == "square":
        half = radius * 0.9
        return [(-half, -half), (half, -half), (half, half), (-half, half)]
    far = radius * 1.25
    return [(0.0, -far), (far, 0.0), (0.0, far), (-far, 0.0)]


def draw(parent: Element, canvas: Canvas, mark: Mark) -> None:
    """Draw a mark of any type."""
    match mark:
        case Dots():
            _draw_dots(parent, canvas, mark)
        case Line():
            _draw_line(parent, canvas, mark)
        case Ribbon():
            _draw_ribbon(parent, canvas, mark)
        case Interval():
            _draw_interval(parent, canvas, mark)
        case Bar():
            _draw_bar(parent, canvas, mark)
        case Span():
            _draw_span(parent, canvas, mark)
        case Rule():
            _draw_rule(parent, canvas, mark)
        case Label():
            _draw_label(parent, canvas, mark)


def _draw_dots(parent: Element, canvas: Canvas, mark: Dots) -> None:
    group = SubElement(parent, "g", {"class": f"t-{mark.tone}"})
    if mark.opacity < 1:
        group.set("opacity", f"{mark.opacity:g}")
    for place, (x, y) in enumerate(mark.points):
        symbol = add_symbol(group, canvas.x(x), canvas.y(y), mark.shape, mark.radius)
        _add_tip(symbol, mark.tips[place] if mark.tips else "")


def _draw_line(parent: Element, canvas: Canvas, mark: Line) -> None:
    if not mark.points:
        return
    path = "M" + "L".join(_xy(canvas.x(x), canvas.y(y)) for x, y in mark.points)
    line = SubElement(parent, "path", {"d": path, "class": f"s l t-{mark.tone}"})
    line.set("stroke-width", f"{mark.width:g}")
    if mark.dashed:
        line.set("stroke-dasharray", "4 3")
    if mark.opacity < 1:
        line.set("opacity", f"{mark.opacity:g}")
    _add_tip(line, mark.tip)


def _draw_ribbon(parent: Element, canvas: Canvas, mark: Ribbon) -> None:
    there = [_xy(canvas.x(x), canvas.y(low)) for x, low, _ in mark.points]
    back = [_xy(canvas.x(x), canvas.y(high)) for x, _, high in reversed(mark.points)]
    if there:
        path = f"M{'L'.join([*there, *back])}Z"
        area = SubElement(parent, "path", {"d": path, "class": f"d t-{mark.tone}"})
        area.set("opacity", f"{mark.opacity:g}")


def _draw_interval(parent: Element, canvas: Canvas, mark: Interval) -> None:
    y, low, high = canvas.y(mark.y), canvas.x(mark.low), canvas.x(mark.high)
    path = f"M{_xy(low, y)}H{coordinate(high)}"
    for x in (low, high):
        if canvas.left < x < canvas.right:
            path += f"M{_xy(x, y - CAP)}V{coordinate(y + CAP)}"
    line = SubElement(parent, "path", {"d": path, "class": f"s t-{mark.tone}"})
    line.set("stroke-width", f"{mark.width:g}")
    _add_tip(line, mark.tip)


def _draw_bar(parent: Element, canvas: Canvas, mark: Bar) -> None:
    start, end = sorted((canvas.x(max(0.0, canvas.x_low)), canvas.x(mark.length)))
    place = {"x": coordinate(start), "y": coordinate(canvas.y(mark.y) - 6), "height": "12"}
    bar = SubElement(parent, "rect", {**place, "width": coordinate(max(end - start, 1.0))})
    bar.set("class", f"d t-{mark.tone}")
    _add_tip(bar, mark.tip)


def _draw_span(parent: Element, canvas: Canvas, mark: Span) -> None:
    left, right, top, bottom = canvas.left, canvas.right, canvas.top, canvas.bottom
    if mark.axis == "x":
        ends = sorted((canvas.x(mark.low), canvas.x(mark.high)))
        left, right = max(left, ends[0]), min(right, ends[1])
    else:
        ends = sorted((canvas.y(mark.low), canvas.y(mark.high)))
        top, bottom = max(top, ends[0]), min(bottom, ends[1])
    place = {"x": coordinate(left), "y": coordinate(top)}
    size = {"width": coordinate(max(0, right - left)), "height": coordinate(max(0, bottom - top))}
    SubElement(parent, "rect", {**place, **size, "class": f"d t-{mark.tone}"})


def _draw_rule(parent: Element, canvas: Canvas, mark: Rule) -> None:
    if mark.axis == "x":
        x = coordinate(canvas.x(mark.value))
        ends = {"x1": x, "x2": x, "y1": coordinate(canvas.top), "y2": coordinate(canvas.bottom)}
    else:
        y = coordinate(canvas.y(mark.value))
        ends = {"x1": coordinate(canvas.left), "x2": coordinate(canvas.right), "y1": y, "y2": y}
    line = SubElement(parent, "line", {**ends, "class": f"s t-{mark.tone}"})
    if mark.dashed:
        line.set("stroke-dasharray", "4 3")


def _draw_label(parent: Element, canvas: Canvas, mark: Label) -> None:
    x, y = canvas.x(mark.at[0]), canvas.y(mark.at[1])
    if mark.side == "left":
        add_text(parent, x - 7, y + 4, mark.text, anchor="end", tone=mark.tone)
    else:
        add_text(parent, x + 7, y + 4, mark.text, tone=mark.tone)


def _add_tip(element: Element, tip: str) -> None:
    if tip:
        SubElement(element, "title").text = tip


def _xy(x: float, y: float) -> str:
    return f"{coordinate(x)} {coordinate(y)}"
