"""Pages of studies, kept while nothing changes: a browser asks every ten seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from sweep.pages.render import render
from sweep.serving.overview import study_page
from sweep.store.places import Place, find_places
from sweep.store.rows import StudyRow
from sweep.store.store import Store

MAX_AGE = 60.0
"""Seconds after which a page is made again: scores or another study may have changed it."""


class State(NamedTuple):
    """What the page of a study shows, apart from results of other commands."""

    study: StudyRow
    places: list[Place]
    """The runs with their states."""
    last_end: float
    """When a run last ended, Unix time."""


class Kept(NamedTuple):
    """A page, what it was made of, and when."""

    state: State
    made: float
    html: str


class StudyPages:
    """Makes the pages of studies. Making one takes a second of computing, which runs need more.

    Only pages of studies with open runs are kept, which browsers load again by themselves.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[str, Kept] = {}

    def html(self, store: Store, study: StudyRow) -> str:
        """The page of a study. Raises UserError."""
        places = find_places(store, study.name)
        state = State(study, places, store.last_end(study.name))
        kept = self._kept.get(study.name)
        now = self._clock()
        if kept is not None and kept.state == state and now - kept.made < MAX_AGE:
            return kept.html
        made = render(study_page(store, study))
        self._kept.pop(study.name, None)
        if any(place.state.is_open for place in places):
            self._kept[study.name] = Kept(state, now, made)
        return made
