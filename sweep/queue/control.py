"""What people do to runs and studies that others work on: through the database, as those look.

It is written down beside the runs, too, so that a database which is made anew from them knows it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from sweep.queue.recording import FREE, end_attempts
from sweep.store.schema import arms, attempts, members, runs, studies
from sweep.store.states import CLOSED, OPEN, AttemptOutcome, RunState
from sweep.store.store import Store


def cancel(store: Store, ids: Sequence[str]) -> int:
    """Have nobody train these runs; how many that concerned. Results that are there stay."""
    changed: list[str] = []
    with store.write() as connection:
        for run_id in ids:
            open_ones = update(runs).where(
                runs.c.id == run_id, runs.c.state.in_(OPEN | {RunState.FAILED})
            )
            if connection.execute(open_ones.values(FREE | {"state": RunState.CANCELLED})).rowcount:
                changed.append(run_id)
        end = {"outcome": AttemptOutcome.CANCELLED, "reason": "cancelled"}
        end_attempts(store, connection, dict.fromkeys(changed, end))
        _write_down(store, connection, changed)
    return len(changed)


def retry(store: Store, ids: Sequence[str]) -> int:
    """Queue again what has failed or was cancelled, and let nothing wait for its next attempt.

    How many runs that concerned. All their retries are before them again.
    """
    again = FREE | {"state": RunState.QUEUED, "cause": None}
    changed: list[str] = []
    with store.write() as connection:
        for run_id in ids:
            ended = runs.c.state.in_(CLOSED)
            waiting = (runs.c.state == RunState.QUEUED) & runs.c.retry_at.is_not(None)
            query = update(runs).where(runs.c.id == run_id, ended | waiting)
            if connection.execute(query.values(again)).rowcount:
                changed.append(run_id)
        _write_down(store, connection, changed)
    return len(changed)


def pause(store: Store, study: str) -> bool:
    """Let nobody work on a study until it is resumed; False when it was paused already."""
    going_on = (studies.c.name == study) & studies.c.paused.is_(None)
    with store.write() as connection:
        changed = connection.execute(update(studies).where(going_on).values(paused=time.time()))
        store.write_down(connection, study)
    return changed.rowcount == 1


def resume(store: Store, study: str) -> bool:
    """Let a paused study go on; False when it was not paused."""
    held = (studies.c.name == study) & studies.c.paused.is_not(None)
    with store.write() as connection:
        changed = connection.execute(update(studies).where(held).values(paused=None))
        store.write_down(connection, study)
    return changed.rowcount == 1


def is_paused(store: Store, study: str | None) -> bool:
    """Whether nobody is to work on a study."""
    query = select(studies.c.paused).where(studies.c.name == study)
    with store.begin() as connection:
        return connection.execute(query).scalar() is not None


def _write_down(store: Store, connection: Connection, ids: Sequence[str]) -> None:
    """The new states of runs: in their own folders, and for those that have none, in their study's."""
    if store.ledger is None:
        return
    concerned = set[str]()
    for run_id in ids:
        tried = select(attempts.c.number).where(attempts.c.run_id == run_id).limit(1)
        if connection.execute(tried).first() and store.ledger.run(run_id).recipe.exists():
            store.ledger.note_attempts(connection, [run_id])
        else:
            of = select(arms.c.study).join(members).where(members.c.run_id == run_id)
            concerned.update(connection.execute(of).scalars())
    for study in concerned:
        store.write_down(connection, study)
