"""`sweep watch`: show the progress of a study that another process trains."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from rich.console import Console
from rich.text import Text

from sweep.errors import StoreBusyError
from sweep.progress.drawing import draw
from sweep.progress.follower import Follower, News
from sweep.progress.gauges import Gauge
from sweep.progress.screen import Screen
from sweep.queue.presence import is_present
from sweep.reports.document import as_json, publish
from sweep.store.store import Store
from sweep.terminal.console import say
from sweep.terminal.live import ResizableLive
from sweep.verdicts.standings import surroundings_of
from sweep.workspace import Workspace

SECONDS_BETWEEN_READS = 2.0
SECONDS_BETWEEN_LOOKS = 0.2
PLAIN_WIDTH = 100
"""Columns of the display if it is printed once, to a file or a pipe."""
NOTHING = Screen(total=0, ended=0)


@dataclass(frozen=True)
class WatchRequest:
    """The arguments of `sweep watch`."""

    study: str | None = None
    once: bool = False
    """True to print the display once; so it is done if the output is no terminal."""
    form: Literal["table", "json"] = "table"


def watch(workspace: Workspace, request: WatchRequest, console: Console) -> int:
    """Show a study's progress until all its runs have ended, or until Ctrl-C; the exit status.

    Reads only.
    """
    store = workspace.open_to_read()
    study = store.study(workspace.study_name(request.study))
    surroundings = surroundings_of(store, study.name, workspace.folder)
    view = View(Follower(workspace, store, study, surroundings), store, study.name, console)
    view.read()
    moves_cursor = console.is_terminal and not console.is_dumb_terminal
    if request.form == "json":
        view.follower.measure()
        publish(as_json(asdict(view.latest())), None, console)
        return 0
    if moves_cursor and not request.once and not view.follower.is_over:
        _follow(view, console)
    view.follower.measure()
    view.print_now()
    say(console, _next_words(view.follower, study.name))
    return 0


class View:
    """The display of a study, and the news on it."""

    def __init__(self, follower: Follower, store: Store, study: str, console: Console) -> None:
        self.follower = follower
        self.screen = NOTHING
        self.news: list[News] = []
        """News that were not printed yet."""
        self._store = store
        self._study = study
        self._console = console
        self._reading = Gauge(self.read, None, least=SECONDS_BETWEEN_READS)

    def read(self) -> None:
        """Read the database; if it is written to at this moment, the last state stays."""
        try:
            self.news += self.follower.update()
            self.screen = self.latest()
        except StoreBusyError:
            if self.screen is NOTHING:
                raise

    def update(self) -> None:
        """Read what is due. Raises StoreError, and NotFoundError if the study was deleted."""
        self._reading.read()
        self.follower.measure()

    def draw(self, width: int, height: int) -> Sequence[Text]:
        """The lines for a terminal of this size."""
        unicode = self._console.encoding.startswith("utf")
        return draw(self.screen, width, height - 1, unicode=unicode)

    def latest(self) -> Screen:
        """The display as it is now."""
        return self.follower.screen(trained=is_present(self._store, self._study))

    def print_now(self) -> None:
        """Print it whole."""
        self.screen = self.latest()
        width = self._console.width if self._console.is_terminal else PLAIN_WIDTH
        lines = draw(self.screen, width, 10_000, unicode=self._console.encoding.startswith("utf"))
        for line in lines:
            self._console.print(line, soft_wrap=True)


def _follow(view: View, console: Console) -> None:
    """Draw until all runs have ended, or until Ctrl-C."""
    live = ResizableLive(view.draw, console)
    live.start()
    try:
        while not view.follower.is_over:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            view.update()  # in this thread, where its errors end the command
            _tell(view.news, console)
    except KeyboardInterrupt:  # the way to leave it
        pass
    finally:
        live.stop()
    _tell(view.news, console)


def _tell(news: list[News], console: Console) -> None:
    """Print the news, and forget them."""
    while news:
        each = news.pop(0)
        say(console, each.line, each.style)


def _next_words(follower: Follower, study: str) -> str:
    if follower.is_over:
        return f"All runs of {study} have ended: `sweep report {study}` prints the verdicts."
    return f"`sweep watch {study}` shows it again; watching does not change the study."
