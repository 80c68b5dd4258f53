"""How sentences reach people: with nothing in them that moves a cursor or turns a line around."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from sweep.terminal.printable import printable

NARROWEST = 72
"""Columns, at least: a terminal with less breaks lines, where a table would lose its figures."""


class SafeConsole(Console):
    """Prints what it is given as it stands: names and paths come from files that others wrote."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  (rich's own)
        # A path may hold what rich takes for markup or an emoji.
        super().__init__(highlight=False, markup=False, emoji=False, **options)
        self.width = max(self.width, NARROWEST)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """What is to be written; only rich's own control codes remain such."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable() or segment.text == "\n":
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)


def say(console: Console, sentence: str | Text, style: str = "") -> None:
    """Print a sentence as it is: wrapped between words on a terminal, on one line elsewhere."""
    text = Text(sentence, style) if isinstance(sentence, str) else sentence
    console.print(text, soft_wrap=not console.is_terminal)
