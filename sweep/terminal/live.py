"""A live display at the end of a terminal, which stays in its place when that is resized."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderResult
from rich.control import Control
from rich.live import Live
from rich.live_render import LiveRender
from rich.segment import ControlType
from rich.text import Text

from sweep.terminal.console import SafeConsole

REFRESH_SECONDS = 1.0
LOOK_SECONDS = 0.2
"""Seconds between two looks at the size of the terminal."""
MAX_RECENT = 100
Draw = Callable[[int, int], Sequence[Text]]
"""Draws for a terminal of so many columns and rows."""


class Fitted:
    """Draws something as wide as the terminal; remembers what it has drawn."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.widths: list[int] = []
        """Columns of the lines on the terminal."""
        self._lines: Sequence[Text] = ()
        self._size = (0, 0)

    def update(self, size: tuple[int, int]) -> Sequence[Text]:
        """Draw for a terminal of this size."""
        # after a full line, terminals differ in where the cursor is
        self._lines, self._size = self.draw(size[0] - 1, size[1]), size
        return self._lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        size = size_of(console)
        lines = self._lines if size == self._size else self.update(size)
        self.widths = [cell_len(line.plain) for line in lines]
        for line in lines:
            yield from line.render(console, "\n")


class ResizableLive(Live):
    """Draws once a second, if something has changed, and at once if the terminal was resized.

    It erases all rows of its lines, also if a narrowed terminal has wrapped them, or has pushed some
    of them out: rich goes up as many rows as it has drawn lines, so these would stay.
    """

    def __init__(
        self, draw: Draw, console: Console, update: Callable[[], None] = lambda: None
    ) -> None:
        """`draw` and, before it, `update` are called in another thread."""
        self._fitted = Fitted(draw)
        self._update = update
        self._done = threading.Event()
        self._due = 0.0
        self._drawn: tuple[str, ...] = ()
        self._size = (0, 0)
        """Columns and rows at the last drawing."""
        self._has_spilled = False
        """True once a shrunk terminal has pushed rows of a drawing out at its top. They come back
        when it grows, so from then on all rows are drawn again after each change of its size."""
        self._recent: deque[ConsoleRenderable] = deque(maxlen=MAX_RECENT)
        """What was printed last above the display."""
        self._thread = threading.Thread(target=self._refresh_when_due, daemon=True)
        super().__init__(self._fitted, console=console, auto_refresh=False, transient=True)

    def start(self, refresh: bool = False) -> None:
        """Begin to draw."""
        super().start(refresh)
        self._thread.start()

    def stop(self) -> None:
        """Remove the display."""
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()
        super().stop()

    def redraw(self) -> None:
        """Draw soon."""
        self._due = 0.0

    def _refresh_when_due(self) -> None:
        size = None
        while not self._done.wait(LOOK_SECONDS):
            now, size_now = time.monotonic(), size_of(self.console)
            if now < self._due and size == size_now:
                continue
            if now >= self._due:
                self._update()
                self._due = now + REFRESH_SECONDS
            self._refresh_if_changed(size_now, force=size != size_now)
            size = size_now

    def _refresh_if_changed(self, size: tuple[int, int], *, force: bool) -> None:
        content = tuple(line.plain for line in self._fitted.update(size))
        if force or content != self._drawn:
            self._drawn = content
            with contextlib.suppress(OSError):  # a display less must not end the training
                self.refresh()

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Erase the last drawing, print what there is to print, and draw again."""
        printed = [each for each in renderables if not isinstance(each, Control)]
        self._recent.extend(printed)
        size, before = size_of(self.console), self._size
        self._size = size
        if self._rows(size[0]) >= size[1]:
            self._has_spilled = True
        elif self._has_spilled and size != before:
            self._live_render = LiveRender(self.get_renderable())  # which has nothing to erase
            recent = list(self._recent)[: -len(printed) or None]
            return [_erase_screen(size[1]), *recent, *super().process_renderables(renderables)]
        return [*self._erase_wrapped(size[0]), *super().process_renderables(renderables)]

    def _rows(self, width: int) -> int:
        """Rows that the last drawing takes in a terminal of so many columns."""
        return sum(max(1, -(-cells // width)) for cells in self._fitted.widths)

    def _erase_wrapped(self, width: int) -> Iterator[Control]:
        """Go up the additional rows before rich goes up its own."""
        additional = self._rows(width) - len(self._fitted.widths)
        if additional:
            up = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)) * additional
            yield Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), *up)


def _erase_screen(rows: int) -> Control:
    """Erase all rows, one by one: terminals would keep a screen that is cleared as a whole."""
    down = ((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_DOWN, 1)) * rows
    return Control(ControlType.HOME, *down, ControlType.HOME)


def size_of(console: Console) -> tuple[int, int]:
    """Columns and rows of a console's terminal now."""
    return terminal_width(console), console.height


def terminal_width(console: Console) -> int:
    """Columns of a console's terminal now."""
    return max(2, console.terminal_width if isinstance(console, SafeConsole) else console.width)
