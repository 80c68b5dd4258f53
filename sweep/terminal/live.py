"""A live display that stays in its place when the terminal is resized."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderResult
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType, Segment

from sweep.terminal.console import SafeConsole

MAX_LINE_WIDTH = 400
"""Columns that a line may have before it is cut off."""


class Fitted:
    """Draws something as wide as the terminal; remembers how wide its lines were."""

    def __init__(self, draw: Callable[[], RenderableType]) -> None:
        self.draw = draw
        self.widths: list[int] = []

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = (
            terminal_width(console) - 1
        )  # after a full line, terminals differ in where the cursor is
        lines = console.render_lines(self.draw(), options.update_width(width), pad=False)
        self.widths = [sum(cell_len(part.text) for part in line) for line in lines]
        for line in lines:
            yield from line
            yield Segment.line()


class Cropped:
    """A renderable whose lines are cut off at the edge instead of being wrapped."""

    def __init__(self, content: RenderableType) -> None:
        self.content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.update_width(MAX_LINE_WIDTH)
        for line in console.render_lines(self.content, wide, pad=False):
            yield from Segment.adjust_line_length(line, options.max_width, pad=False)
            yield Segment.line()


class ResizableLive(Live):
    """Erases all rows of its lines, also if a narrowed terminal has wrapped them.

    rich goes up as many rows as it has drawn lines, so wrapped rows would stay.
    """

    def __init__(self, draw: Callable[[], RenderableType], console: Console) -> None:
        """`draw` is called at each refresh, in another thread."""
        self._fitted = Fitted(draw)
        super().__init__(self._fitted, console=console, refresh_per_second=5, transient=True)

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Go up the additional rows before rich goes up its own."""
        return [*self._erase_broken(), *super().process_renderables(renderables)]

    def _erase_broken(self) -> Iterator[Control]:
        width = terminal_width(self.console)
        additional = sum(max(0, (cells - 1) // width) for cells in self._fitted.widths)
        if additional:
            up = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)) * additional
            yield Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), *up)


def terminal_width(console: Console) -> int:
    """Columns of a console's terminal now."""
    return max(2, console.terminal_width if isinstance(console, SafeConsole) else console.width)
