"""Draw a figure as SVG inside a page, in a given width.

Colours are classes (`t-better`), so that the page decides between light and dark. matplotlib draws
files; in a page its SVG is several times as large, has fixed colours, and cannot be laid out for a
phone.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, tostring

from .figure import Figure, Key
from .layout import KEY_WIDTH, LINE, SMALL, TEXT, Layout, PlacedPanel, lay_out
from .svg_marks import Canvas, add_symbol, add_text, coordinate, draw
from .text_width import fitted


def svg_figure(figure: Figure, width: float, name: str) -> str:
    """Return an `<svg>` element; `name` is its id, unique in the page."""
    layout = lay_out(figure, width)
    root = Element(
        "svg",
        {
            "viewBox": f"0 0 {coordinate(layout.width)} {coordinate(layout.height)}",
            "role": "img",
            "aria-labelledby": f"{name}-t {name}-d",
            "font-size": coordinate(SMALL),
        },
    )
    SubElement(root, "title", {"id": f"{name}-t"}).text = figure.title
    SubElement(
        root, "desc", {"id": f"{name}-d"}
    ).text = f"{figure.summary} {figure.left_out}".strip()
    for each in layout.keys:
        _add_key(root, each.key, each.left, each.top + LINE / 2)
    for placed in layout.panels:
        _add_panel(root, placed)
    _add_shared_titles(root, figure, layout)
    return tostring(root, encoding="unicode")


def _add_shared_titles(root: Element, figure: Figure, layout: Layout) -> None:
    if figure.y_title:
        add_text(
            root, 0, layout.y_title_top + SMALL, _within(figure.y_title, layout.width), tone="muted"
        )
    if figure.x_title:
        left = layout.panels[0].box.left
        add_text(root, left, layout.height - 5, figure.x_title, tone="muted")


def _add_key(root: Element, key: Key, left: float, middle: float) -> None:
    group = SubElement(root, "g", {"class": f"t-{key.tone}"})
    start, end = coordinate(left), coordinate(left + KEY_WIDTH - 6)
    match key.shape:
        case "area":
            area = {"x": start, "y": coordinate(middle - 6), "width": "16", "height": "12"}
            SubElement(group, "rect", {**area, "class": "d k"})
        case "line" | "dashes":
            y = coordinate(middle)
            line = SubElement(group, "line", {"x1": start, "y1": y, "x2": end, "y2": y})
            line.set("class", "s")
            line.set("stroke-width", "2")
            if key.shape == "dashes":
                line.set("stroke-dasharray", "4 3")
        case _:
            add_symbol(group, left + 8, middle, key.shape, 2.8 if key.is_small else 5)
    add_text(root, left + KEY_WIDTH, middle + 4, key.label)


def _add_panel(root: Element, placed: PlacedPanel) -> None:
    """Draw bands first, then axes, then the other marks, so that no mark is hidden."""
    panel, box = placed.panel, placed.box
    group = SubElement(root, "g")
    canvas = Canvas(placed)
    for mark in panel.marks:
        if canvas.is_ground(mark):
            draw(group, canvas, mark)
    _add_x_axis(group, placed, canvas)
    if panel.has_rows:
        _add_rows(group, placed, canvas)
    else:
        _add_y_axis(group, placed, canvas)
    inside = SubElement(group, "svg", _attributes(box.left, box.top, box.width, box.height))
    inside.set("viewBox", " ".join(map(coordinate, (box.left, box.top, box.width, box.height))))
    inside.set("class", "in")
    for mark in panel.marks:
        if not canvas.is_ground(mark):
            draw(inside, canvas, mark)
    if panel.y.title and not panel.has_rows:
        add_text(group, box.left, box.top - 8, _within(panel.y.title, box.width), tone="muted")
    if panel.title:
        top = placed.top + SMALL
        title = fitted(panel.title, TEXT, box.width)
        add_text(group, box.left, top, title, tip=_if_cut(panel.title, title)).set("class", "x b")


def _attributes(x: float, y: float, width: float, height: float) -> dict[str, str]:
    names = ("x", "y", "width", "height")
    return dict(zip(names, map(coordinate, (x, y, width, height)), strict=True))


def _add_x_axis(group: Element, placed: PlacedPanel, canvas: Canvas) -> None:
    box, axis = placed.box, placed.panel.x
    bottom = coordinate(box.bottom)
    ends = {"x1": coordinate(box.left), "x2": coordinate(box.right), "y1": bottom, "y2": bottom}
    SubElement(group, "line", {**ends, "class": "s t-muted"})
    taken = -1e9
    for tick in axis.ticks:
        x = canvas.x(tick.value)
        place = coordinate(x)
        ends = {"x1": place, "x2": place, "y1": coordinate(box.top), "y2": bottom}
        SubElement(group, "line", {**ends, "class": "s t-faint"})
        half = canvas.half_width(tick.label)
        if placed.has_x_labels and x - half > taken:
            add_text(group, x, box.bottom + 15, tick.label, anchor="middle", tone="muted")
            taken = x + half + 6
    if axis.title and placed.has_x_labels:
        add_text(
            group, box.left, box.bottom + 15 + LINE, _within(axis.title, box.width), tone="muted"
        )


def _add_y_axis(group: Element, placed: PlacedPanel, canvas: Canvas) -> None:
    box = placed.box
    for tick in placed.panel.y.ticks:
        y = canvas.y(tick.value)
        place = coordinate(y)
        ends = {"x1": coordinate(box.left), "x2": coordinate(box.right), "y1": place, "y2": place}
        SubElement(group, "line", {**ends, "class": "s t-faint"})
        if placed.has_y_labels:
            add_text(group, box.left - 6, y + 4, tick.label, anchor="end", tone="muted")


def _add_rows(group: Element, placed: PlacedPanel, canvas: Canvas) -> None:
    """The names of rows, at the left or above each row, and their notes at the right."""
    box, ticks = placed.box, placed.panel.y.ticks
    for number, tick in enumerate(ticks):
        y = canvas.y(tick.value)
        if placed.names_above:
            where: tuple[float, float, str] = (box.left, canvas.row_top(number) + 12, "start")
            room = box.width
        elif placed.has_y_labels:
            where, room = (box.left - 8, y + 4, "end"), box.left - 8
        else:
            continue
        name = fitted(tick.label, SMALL, room)
        tip = _if_cut(tick.label, name)
        add_text(group, where[0], where[1], name, anchor=where[2], tip=tip)
    if placed.has_notes:
        for tick, note in zip(ticks, placed.panel.notes, strict=True):
            add_text(group, box.right + 14, canvas.y(tick.value) + 4, note, tone="muted")


def _within(title: str, width: float) -> str:
    return fitted(title, SMALL, width)


def _if_cut(whole: str, shown: str) -> str:
    return whole if shown != whole else ""
