"""Write a page as HTML: one file with its style, its figures and its script.

Jinja escapes whatever a page says; only what this module marks as `Markup` is HTML.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from itertools import count
from typing import TYPE_CHECKING

from sweep.pages.page import Code, Facts, Notes, Page, PageFigure, PageTable, Part
from sweep.terminal.printable import printable

if TYPE_CHECKING:
    from jinja2 import Environment, Template
    from markupsafe import Markup

    from analysis.pictures.figure import Figure

WIDE, NARROW = 932.0, 358.0
"""Widths that a figure is drawn for, in CSS pixels: for a screen or paper, and for a phone."""
KINDS = {
    PageTable: "table",
    Facts: "facts",
    Notes: "notes",
    Code: "code",
    PageFigure: "figure",
    str: "text",
}


def render(page: Page) -> str:
    """Return a page as an HTML document."""
    numbers = count(1)
    text = _template().render(
        page=page,
        style=_style(),
        script=_resource("script.js"),
        figure=lambda figure: _figure(figure, next(numbers)),
    )
    return printable(text)


def _figure(figure: Figure, number: int) -> Markup:
    """The figure in both widths; the style shows one of them."""
    from markupsafe import Markup

    from analysis.pictures.svg import svg_figure

    drawn = [
        f'<div class="{name}">{svg_figure(figure, width, f"f{number}{name}")}</div>'
        for name, width in (("wide", WIDE), ("narrow", NARROW))
    ]
    return Markup("".join(drawn))  # noqa: S704  (an XML library has escaped its text)


@lru_cache(maxsize=1)
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment: Environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(prose=prose, kind=_kind)
    return environment.from_string(_resource("page.html.j2"))


def _kind(part: Part) -> str:
    return KINDS[type(part)]


def prose(text: str) -> Markup:
    """A sentence as HTML; what is between backquotes is code."""
    from markupsafe import Markup, escape

    parts = re.split("`([^`]+)`", text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )


@lru_cache(maxsize=1)
def _style() -> str:
    """The style sheet with the colours of figures."""
    from analysis.pictures.tones import COLOURS

    light = "".join(f"--{tone}:{colour.light};" for tone, colour in COLOURS.items())
    dark = "".join(f"--{tone}:{colour.dark};" for tone, colour in COLOURS.items())
    classes = "".join(f".t-{tone}{{--c:var(--{tone})}}" for tone in COLOURS)
    root = f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return f"{root}{classes}\n{_resource('style.css')}"


def _resource(name: str) -> str:
    return files("sweep.pages").joinpath(name).read_text("utf-8")
