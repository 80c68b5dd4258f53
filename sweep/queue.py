"""The states of runs, and the only code that changes them.

    queued ──claim──> running ──record──> done | diverged
      ^                  │
      └─release / lost───┴──fail──> failed

Every change is a compare-and-set: it happens if the run is in the state, and with the owner, that
the change starts from, and tells whether it did. A claim is a lease: a scheduler that stops
renewing it loses it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, or_, select, update

from sweep.owner import is_gone
from sweep.schema import attempts, chunk_losses, curves, runs
from sweep.store import Store
from trainer.recipe import Recipe
from trainer.rundir import Event, Result, recipe_fields

LEASE_SECONDS = 60.0
"""How long a claim holds without being renewed."""
FINISHED = frozenset({"done", "diverged"})
"""States that no run leaves: the experiment has spoken."""


@dataclass(frozen=True)
class Job:
    """A run as the queue takes it."""

    run_id: str
    recipe: Recipe
    corpus_hash: str
    family: str
    repeat_of: str | None = None


class Queue:
    """Claims and records runs in the name of one scheduler."""

    def __init__(self, store: Store, owner: str) -> None:
        self.store = store
        self.owner = owner

    def enqueue(self, jobs: Iterable[Job]) -> int:
        """Make every job's run known, and queue those that failed again; how many were queued."""
        wanted = {job.run_id: job for job in jobs}
        with self.store.write() as connection:  # another command may ask for the same runs
            known = self.store.states(list(wanted))
            fresh = [run_row(job) for run_id, job in wanted.items() if run_id not in known]
            failed = [run_id for run_id, state in known.items() if state == "failed"]
            if fresh:
                connection.execute(insert(runs), fresh)
            for run_id in failed:
                again = update(runs).where(runs.c.id == run_id, runs.c.state == "failed")
                connection.execute(again.values(state="queued", cause=None))
        return len(fresh) + len(failed)

    def reclaim_lost(self) -> int:
        """Queue the runs again whose scheduler is known to be gone; how many there were."""
        with self.store.begin() as connection:
            query = select(runs.c.id, runs.c.owner).where(runs.c.state == "running")
            lost = [
                (run_id, owner)
                for run_id, owner in connection.execute(query)
                if owner is not None and is_gone(owner)
            ]
            for run_id, owner in lost:
                held = (runs.c.id == run_id) & (runs.c.owner == owner) & (runs.c.state == "running")
                connection.execute(update(runs).where(held).values(state="queued", owner=None))
                self._end_attempt(connection, run_id, "lost", "its scheduler ended")
        return len(lost)

    def claim(self, run_id: str) -> bool:
        """Take a queued run, or one whose lease has run out; whether it is ours now."""
        now = time.time()
        free = or_(
            runs.c.state == "queued", (runs.c.state == "running") & (runs.c.lease_until < now)
        )
        with self.store.begin() as connection:
            taken = connection.execute(
                update(runs)
                .where(runs.c.id == run_id, free)
                .values(state="running", owner=self.owner, lease_until=now + LEASE_SECONDS)
            )
            if taken.rowcount == 0:
                return False
            self._end_attempt(connection, run_id, "lost", "its lease ran out")
            number = select(func.coalesce(func.max(attempts.c.number), 0) + 1).where(
                attempts.c.run_id == run_id
            )
            connection.execute(
                insert(attempts).values(run_id=run_id, number=number.scalar_subquery(), claimed=now)
            )
        return True

    def renew(self) -> None:
        """Extend the leases of all runs that are ours."""
        ours = (runs.c.owner == self.owner) & (runs.c.state == "running")
        with self.store.begin() as connection:
            connection.execute(
                update(runs).where(ours).values(lease_until=time.time() + LEASE_SECONDS)
            )

    def record(
        self, run_id: str, result: Result, events: Sequence[Event], peak_bytes: int | None
    ) -> bool:
        """Store the outcome of a run with its curve and chunk losses; whether it was still ours."""
        with self.store.begin() as connection:
            if not self._leave_running(connection, run_id, **_outcome(result)):
                return False
            curve = [{"run_id": run_id, **event.model_dump()} for event in events]
            chunks = [
                {"run_id": run_id, "chunk": chunk, "loss": loss}
                for chunk, loss in enumerate(result.chunk_losses)
            ]
            for table, rows in ((curves, curve), (chunk_losses, chunks)):
                if rows:
                    connection.execute(insert(table), rows)
            self._end_attempt(connection, run_id, result.state, result.cause, peak_bytes)
        return True

    def release(self, run_id: str, reason: str) -> bool:
        """Put a run that was stopped back into the queue; whether it was still ours."""
        with self.store.begin() as connection:
            kept = self._leave_running(connection, run_id, state="queued")
            if kept:
                self._end_attempt(connection, run_id, "stopped", reason)
        return kept

    def fail(self, run_id: str, reason: str, peak_bytes: int | None, *, retry: bool) -> bool:
        """End a failed attempt, and queue the run again if `retry`; whether it was still ours."""
        values: dict[str, Any] = (
            {"state": "queued"} if retry else {"state": "failed", "cause": reason}
        )
        with self.store.begin() as connection:
            kept = self._leave_running(connection, run_id, **values)
            if kept:
                self._end_attempt(connection, run_id, "failed", reason, peak_bytes)
        return kept

    def _leave_running(self, connection: Connection, run_id: str, **values: object) -> bool:
        ours = (runs.c.id == run_id) & (runs.c.owner == self.owner) & (runs.c.state == "running")
        changed = connection.execute(
            update(runs).where(ours).values(owner=None, lease_until=None, **values)
        )
        return changed.rowcount == 1

    def _end_attempt(
        self,
        connection: Connection,
        run_id: str,
        outcome: str,
        reason: str | None,
        peak_bytes: int | None = None,
    ) -> None:
        unfinished = (attempts.c.run_id == run_id) & attempts.c.ended.is_(None)
        ended = connection.execute(
            update(attempts)
            .where(unfinished)
            .values(ended=time.time(), outcome=outcome, reason=reason, peak_bytes=peak_bytes)
        )
        if ended.rowcount and self.store.ledger:
            self.store.ledger.note_attempt(connection, run_id)


def run_row(job: Job) -> dict[str, Any]:
    """A run as it is before anybody has begun on it."""
    seeds = job.recipe.seeds
    return {
        "id": job.run_id,
        "repeat_of": job.repeat_of,
        "recipe": recipe_fields(job.recipe),
        "corpus_hash": job.corpus_hash,
        "family": job.family,
        "init_seed": seeds.init,
        "order_seed": seeds.order,
        "dropout_seed": seeds.dropout,
        "state": "queued",
    }


def _outcome(result: Result) -> dict[str, Any]:
    """The columns of `runs` that a result fills."""
    return result.model_dump(exclude={"chunk_losses"})
