"""Cancel, retry, pause and resume. Schedulers notice it in the database.

The new states are also written beside the runs, so that `sweep rebuild` restores them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from sweep.queue.recording import UNCLAIMED, end_attempts
from sweep.store.schema import arms, attempts, members, runs, studies
from sweep.store.states import CLOSED, OPEN, AttemptOutcome, RunState
from sweep.store.store import Store


def cancel(store: Store, ids: Sequence[str], cause: str | None = None) -> int:
    """Cancel runs; returns how many were cancelled. Runs with a result keep it.

    `cause`: why, as a few words for people.
    """
    ended = {"state": RunState.CANCELLED, **({"cause": cause} if cause else {})}
    changed: list[str] = []
    with store.write() as connection:
        for run_id in ids:
            cancellable = update(runs).where(
                runs.c.id == run_id, runs.c.state.in_(OPEN | {RunState.FAILED})
            )
            if connection.execute(cancellable.values(UNCLAIMED | ended)).rowcount:
                changed.append(run_id)
        end = {"outcome": AttemptOutcome.CANCELLED, "reason": cause or "cancelled"}
        end_attempts(store, connection, dict.fromkeys(changed, end))
        _write_study_files(store, connection, changed)
    return len(changed)


def retry(store: Store, ids: Sequence[str]) -> int:
    """Queue failed and cancelled runs again; returns how many runs were changed.

    Runs that wait for their next attempt become due. All get their full number of retries.
    """
    again = UNCLAIMED | {"state": RunState.QUEUED, "cause": None}
    changed: list[str] = []
    with store.write() as connection:
        for run_id in ids:
            ended = runs.c.state.in_(CLOSED)
            waiting = (runs.c.state == RunState.QUEUED) & runs.c.retry_at.is_not(None)
            query = update(runs).where(runs.c.id == run_id, ended | waiting)
            if connection.execute(query.values(again)).rowcount:
                changed.append(run_id)
        _write_study_files(store, connection, changed)
    return len(changed)


def pause(store: Store, study: str) -> bool:
    """Pause a study; False if it was paused already."""
    is_active = (studies.c.name == study) & studies.c.paused.is_(None)
    with store.write() as connection:
        changed = connection.execute(update(studies).where(is_active).values(paused=time.time()))
        store.write_study_file(connection, study)
    return changed.rowcount == 1


def resume(store: Store, study: str) -> bool:
    """Resume a study; False if it was not paused."""
    is_held = (studies.c.name == study) & studies.c.paused.is_not(None)
    with store.write() as connection:
        changed = connection.execute(update(studies).where(is_held).values(paused=None))
        store.write_study_file(connection, study)
    return changed.rowcount == 1


def is_paused(store: Store, study: str | None) -> bool:
    """True if a study is paused."""
    query = select(studies.c.paused).where(studies.c.name == study)
    with store.begin() as connection:
        return connection.execute(query).scalar() is not None


def _write_study_files(store: Store, connection: Connection, ids: Sequence[str]) -> None:
    """Write new states to the folders of runs; for runs without one, to the files of their studies."""
    if store.ledger is None:
        return
    changed_studies = set[str]()
    for run_id in ids:
        tried = select(attempts.c.number).where(attempts.c.run_id == run_id).limit(1)
        if connection.execute(tried).first() and store.ledger.run(run_id).is_prepared:
            store.ledger.note_attempts(connection, [run_id])
        else:
            of_run = select(arms.c.study).join(members).where(members.c.run_id == run_id)
            changed_studies.update(connection.execute(of_run).scalars())
    for study in changed_studies:
        store.write_study_file(connection, study)
