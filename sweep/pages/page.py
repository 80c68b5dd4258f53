"""A page: one file that a browser shows without any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from analysis.pictures.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell of a table."""

    text: str
    tone: str = ""
    """A verdict's class, such as `better`; empty for plain text."""
    link: str = ""
    """Where the cell leads to; empty for nowhere."""


@dataclass(frozen=True, kw_only=True)
class PageTable:
    """A table. On a phone each row is a card."""

    title: str
    """Its caption."""
    headers: Sequence[str]
    numeric: Sequence[bool]
    """By column: true for numbers, which are aligned at the right."""
    rows: Sequence[Sequence[Cell]]
    """The first cell names the row."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Names with values."""

    items: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Notes:
    """Sentences, each an item of a list; code is between backquotes."""

    sentences: Sequence[str]
    quiet: bool = False
    """True for small print."""


@dataclass(frozen=True, kw_only=True)
class Code:
    """Text of a program, a command or a file."""

    title: str
    text: str
    folded: bool = False
    """True if it is shown only when the reader opens it."""
    from_end: bool = False
    """True for a log: if it is long, its end is seen first."""


@dataclass(frozen=True, kw_only=True)
class PageFigure:
    """A figure with the sentence below it."""

    figure: Figure
    caption: str = ""


Part: TypeAlias = PageTable | Facts | Notes | Code | PageFigure | str


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a page with a heading."""

    title: str
    parts: Sequence[Part]


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page for people."""

    title: str
    answer: str = ""
    """The result in one sentence; empty if there is no question."""
    lead: Sequence[str] = ()
    """Sentences that a reader needs at once."""
    warnings: Sequence[str] = ()
    sections: Sequence[Section] = field(default_factory=list)
    foot: str = ""
    refresh_seconds: int = 0
    """How often the browser loads it again; 0 for never."""
    trail: Sequence[Cell] = ()
    """Links to the pages above this one."""
