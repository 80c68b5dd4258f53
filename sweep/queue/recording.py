"""Store the ends of attempts: results, failures, curves. Few statements serve many runs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from sweep.queue.changes import Change
from sweep.store.metrics import add_metrics
from sweep.store.schema import attempts, chunk_losses, curves, runs
from sweep.store.select_in import select_in
from sweep.store.states import AttemptOutcome, RunState
from sweep.store.store import Store

UNCLAIMED = {"owner": None, "attempt": None, "beat": None, "retry_at": None, "failures": None}
"""Columns of a run that no scheduler holds and that has not failed yet."""


def apply_changes(
    store: Store, connection: Connection, changes: Sequence[Change], now: float
) -> None:
    """Apply changes to runs that this scheduler holds, in a transaction with the write lock."""
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
    if results:  # after the attempts, which have the peak memory
        add_metrics(connection, [change.run_id for change in results])


def end_attempts(
    store: Store, connection: Connection, ends: Mapping[str, Mapping[str, Any]]
) -> None:
    """Record how the open attempts at some runs ended; `ends`: columns of `attempts` by run."""
    open_attempts = select(attempts.c.run_id).where(attempts.c.ended.is_(None))
    found = [
        row["run_id"] for row in select_in(connection, open_attempts, attempts.c.run_id, list(ends))
    ]
    if not found:
        return
    is_open = (attempts.c.run_id == bindparam("of_run")) & attempts.c.ended.is_(None)
    rows = [{"of_run": run_id, "ended": time.time(), **ends[run_id]} for run_id in found]
    connection.execute(update(attempts).where(is_open), rows)
    if store.ledger:
        store.ledger.note_attempts(connection, found)


def _columns(change: Change, now: float) -> dict[str, Any]:
    """Return the columns of `runs` that a change sets."""
    columns: dict[str, Any] = {**UNCLAIMED, "state": change.state}
    if change.result:
        return {**columns, **change.result.columns()}
    if change.state is RunState.FAILED:
        return {**columns, "cause": change.reason}
    del columns["failures"]
    if change.outcome is AttemptOutcome.FAILED:
        columns["failures"] = func.coalesce(runs.c.failures, 0) + 1
    return {**columns, "retry_at": now + change.pause if change.pause else None}


def _end(change: Change) -> dict[str, Any]:
    """Return the columns of `attempts` that a change sets."""
    return {
        "outcome": change.outcome,
        "reason": change.reason,
        "peak_bytes": change.peak_bytes,
    }


def _insert_curves(connection: Connection, changes: Sequence[Change]) -> None:
    curve = [
        {"run_id": change.run_id, **event.model_dump(exclude={"metrics"})}
        for change in changes
        for event in change.events
        if event.learning_rate is not None  # a script's events have metrics only
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
