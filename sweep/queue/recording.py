"""What the database is told of runs whose attempt has ended, in few statements for many of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from sweep.queue.changes import Change
from sweep.store.schema import attempts, chunk_losses, curves, runs
from sweep.store.select_in import select_in
from sweep.store.states import AttemptOutcome, RunState
from sweep.store.store import Store

FREE = {"owner": None, "attempt": None, "beat": None, "retry_at": None, "failures": None}
"""The columns of a run that nobody holds, and that nobody has failed at."""


def make(store: Store, connection: Connection, changes: Sequence[Change], now: float) -> None:
    """Make changes to runs that are ours, in a transaction in which nobody else writes."""
    of_run = update(runs).where(runs.c.id == bindparam("of_run"))
    results = [change for change in changes if change.result]
    if results:
        rows = [{"of_run": change.run_id, **_columns(change, now)} for change in results]
        connection.execute(of_run, rows)
        _insert_curves(connection, results)
    for change in changes:
        if not change.result:
            connection.execute(of_run.values(_columns(change, now)), {"of_run": change.run_id})
    end_attempts(store, connection, {change.run_id: _end(change) for change in changes})


def end_attempts(
    store: Store, connection: Connection, ends: Mapping[str, Mapping[str, Any]]
) -> None:
    """Say how the attempts at runs ended that had not ended yet; `ends`: columns by run."""
    open_ones = select(attempts.c.run_id).where(attempts.c.ended.is_(None))
    found = [
        row["run_id"] for row in select_in(connection, open_ones, attempts.c.run_id, list(ends))
    ]
    if not found:
        return
    open_one = (attempts.c.run_id == bindparam("of_run")) & attempts.c.ended.is_(None)
    rows = [{"of_run": run_id, "ended": time.time(), **ends[run_id]} for run_id in found]
    connection.execute(update(attempts).where(open_one), rows)
    if store.ledger:
        store.ledger.note_attempts(connection, found)


def _columns(change: Change, now: float) -> dict[str, Any]:
    """The columns of `runs` that a change fills."""
    free: dict[str, Any] = {**FREE, "state": change.state}
    if change.result:
        return {**free, **change.result.model_dump(exclude={"chunk_losses"})}
    if change.state is RunState.FAILED:
        return {**free, "cause": change.reason}
    del free["failures"]
    if change.outcome is AttemptOutcome.FAILED:
        free["failures"] = func.coalesce(runs.c.failures, 0) + 1
    return {**free, "retry_at": now + change.pause if change.pause else None}


def _end(change: Change) -> dict[str, Any]:
    """The columns of the attempt that a change fills."""
    return {
        "outcome": change.outcome,
        "reason": change.reason,
        "peak_bytes": change.peak_bytes,
    }


def _insert_curves(connection: Connection, changes: Sequence[Change]) -> None:
    curve = [
        {"run_id": change.run_id, **event.model_dump()}
        for change in changes
        for event in change.events
    ]
    chunks = [
        {"run_id": change.run_id, "chunk": chunk, "loss": loss}
        for change in changes
        if change.result
        for chunk, loss in enumerate(change.result.chunk_losses)
    ]
    for table, rows in ((curves, curve), (chunk_losses, chunks)):
        if rows:
            connection.execute(insert(table), rows)
