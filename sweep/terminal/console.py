"""A console that escapes control characters in the text it prints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from sweep.terminal.printable import printable

MIN_WIDTH = 72
"""Columns. A narrower terminal wraps lines itself; rich would cut numbers out of tables."""


class SafeConsole(Console):
    """Prints text literally, because names and paths come from files of other people."""

    def __init__(self, *, brief: bool = False, **options: Any) -> None:  # noqa: ANN401  (rich's options)
        self.brief = brief
        """True to leave out all sentences: `--quiet`."""
        # rich would read markup or an emoji code in a path
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    @property
    def size(self) -> ConsoleDimensions:
        """The terminal's size now, at least `MIN_WIDTH` wide."""
        size = super().size
        return size._replace(width=max(size.width, MIN_WIDTH))

    @size.setter
    def size(self, new: tuple[int, int]) -> None:
        self._width, self._height = new

    @property
    def terminal_width(self) -> int:
        """Columns of the terminal now; a longer line takes two of its rows."""
        return super().size.width

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Escape control characters in the text; rich's own control codes are kept."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable() or segment.text == "\n":
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)


def say(console: Console, sentence: str | Text, style: str = "") -> None:
    """Print a sentence: wrapped between words on a terminal, on one line elsewhere.

    A brief console leaves it out.
    """
    if is_brief(console):
        return
    text = Text(sentence, style) if isinstance(sentence, str) else sentence
    console.print(text, soft_wrap=not console.is_terminal)


def is_brief(console: Console) -> bool:
    """True if a console prints results and errors only."""
    return isinstance(console, SafeConsole) and console.brief
