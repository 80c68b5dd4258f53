"""Store the ends of attempts: results, failures, curves. Few statements serve many runs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, insert, select, update

from sweep.queue.changes import Change
from sweep.store.ledger import Row
from sweep.store.metrics import add_metrics
from sweep.store.schema import attempts, chunk_losses, curves, metric_points, metrics, runs
from sweep.store.select_in import select_in
from sweep.store.states import AttemptOutcome, RunState
from sweep.store.store import Store
from trainer.rundir.directory import Event, Result

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
        return {**columns, **result_columns(change.result, change.primary_value)}
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


def result_columns(result: Result, primary_value: float | None) -> dict[str, Any]:
    """Return the columns of `runs` that a result sets; a script's loss is its primary metric."""
    columns = result.model_dump(exclude={"chunk_losses", "metrics"})
    return columns if primary_value is None else {**columns, "test_loss": primary_value}


def curve_rows(run_id: str, result: Result, events: Sequence[Event]) -> dict[Table, list[Row]]:
    """Return the rows of a result in the tables that hang on `runs`."""
    return {
        curves: [
            {"run_id": run_id, **event.model_dump(exclude={"metrics"})}
            for event in events
            if event.learning_rate is not None  # a script's events have metrics only
        ],
        chunk_losses: [
            {"run_id": run_id, "chunk": chunk, "loss": loss}
            for chunk, loss in enumerate(result.chunk_losses)
        ],
        metrics: [
            {"run_id": run_id, "name": name, "value": value}
            for name, value in result.metrics.items()
        ],
        metric_points: [
            {"run_id": run_id, "name": name, "step": event.step, "value": value}
            for event in events
            for name, value in event.metrics.items()
        ],
    }


def _insert_curves(connection: Connection, changes: Sequence[Change]) -> None:
    found: dict[Table, list[Row]] = {}
    for change in changes:
        if change.result:
            for table, rows in curve_rows(change.run_id, change.result, change.events).items():
                found.setdefault(table, []).extend(rows)
    for table, rows in found.items():
        if rows:
            connection.execute(insert(table), rows)
