"""What people do to runs and studies that others work on: through the database, as those look."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import select, update

from sweep.queue import CLOSED, FREE, OPEN, end_attempt
from sweep.schema import runs, studies
from sweep.store import Store


def cancel(store: Store, ids: Sequence[str]) -> int:
    """Have nobody train these runs; how many that concerned. Results that are there stay."""
    changed = 0
    with store.write() as connection:
        for run_id in ids:
            open_ones = update(runs).where(runs.c.id == run_id, runs.c.state.in_(OPEN | {"failed"}))
            if connection.execute(open_ones.values(FREE | {"state": "cancelled"})).rowcount:
                end_attempt(store, connection, run_id, outcome="cancelled", reason="cancelled")
                changed += 1
    return changed


def retry(store: Store, ids: Sequence[str]) -> int:
    """Queue again what has failed or was cancelled, and let nothing wait for its next attempt.

    How many runs that concerned. All their retries are before them again.
    """
    again = FREE | {"state": "queued", "cause": None}
    changed = 0
    with store.write() as connection:
        for run_id in ids:
            ended = runs.c.state.in_(CLOSED)
            waiting = (runs.c.state == "queued") & runs.c.retry_at.is_not(None)
            query = update(runs).where(runs.c.id == run_id, ended | waiting)
            changed += connection.execute(query.values(again)).rowcount
    return changed


def pause(store: Store, study: str) -> bool:
    """Let nobody work on a study until it is resumed; False when it was paused already."""
    going_on = (studies.c.name == study) & studies.c.paused.is_(None)
    with store.write() as connection:
        changed = connection.execute(update(studies).where(going_on).values(paused=time.time()))
    return changed.rowcount == 1


def resume(store: Store, study: str) -> bool:
    """Let a paused study go on; False when it was not paused."""
    held = (studies.c.name == study) & studies.c.paused.is_not(None)
    with store.write() as connection:
        changed = connection.execute(update(studies).where(held).values(paused=None))
    return changed.rowcount == 1


def is_paused(store: Store, study: str | None) -> bool:
    """Whether nobody is to work on a study."""
    query = select(studies.c.paused).where(studies.c.name == study)
    with store.begin() as connection:
        return connection.execute(query).scalar() is not None
