"""A page for people: headings, facts in two columns, tables and plots."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from sweep.reports.document import Table, print_some
from sweep.reports.plot import Series, plot
from sweep.terminal.console import is_brief, say
from sweep.terminal.printable import printable

MAX_PLOT_WIDTH = 100
PLOT_ROWS = 10


@dataclass(frozen=True)
class Facts:
    """Names of facts, and what they are. Facts without content are left out."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Plot:
    """Curves over the steps."""

    title: str
    series: Sequence[Series]
    signed: bool = False
    """True for differences, with a line at zero."""


Part = str | Facts | Plot | Table[Any]
"""A sentence, or one of the other parts."""


def print_page(parts: Sequence[Part], console: Console) -> None:
    """Print the parts, as wide as the console; of a brief one, only the first."""
    for part in parts[:1] if is_brief(console) else parts:
        if isinstance(part, Facts):
            _print_facts(part, console)
        elif isinstance(part, Plot):
            _print_plot(part, console)
        else:
            print_some([part], console)


def _print_facts(facts: Facts, console: Console) -> None:
    rows = [(name, text) for name, text in facts.rows if text]
    wide = max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        line = Text.assemble((f"  {name:<{wide}}  ", "dim"), printable(text))
        if not console.is_terminal:
            say(console, line)
            continue
        first, *others = line.wrap(console, console.width) or [Text()]
        console.print(first)
        rest = Text(" ").join(others) if others else None
        for more in rest.wrap(console, max(20, console.width - wide - 4)) if rest else []:
            console.print(Text(" " * (wide + 4)) + more)


def _print_plot(part: Plot, console: Console) -> None:
    width = min(console.width if console.is_terminal else _width(), MAX_PLOT_WIDTH)
    unicode = console.encoding.startswith("utf")
    lines = plot(part.series, width - 1, PLOT_ROWS, unicode=unicode, signed=part.signed)
    if lines:
        say(console, "")
        say(console, part.title, "bold")
    for line in lines:
        console.print(line, soft_wrap=True)


def _width() -> int:
    return shutil.get_terminal_size((80, 24)).columns
