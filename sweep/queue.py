"""The states of runs, and the only code that changes them (with `sweep.control`, for people).

    queued ──claim──> running ──record──> done | diverged
      ^ ^                │
      │ └──release───────┤ lost: its scheduler is gone, or silent for LEASE_SECONDS
      └────fail, again───┴──fail──> failed        any of these ──cancel──> cancelled

A claim is a lease, and its number, which only grows, is the fencing token: every change is a
compare-and-set on it, and says whether it happened. Who was asleep while its lease was taken holds
an old number, and changes nothing. No clock of one process is compared with that of another: a
lease runs out when whoever wants it has seen it unrenewed for long enough by its own watch.
See docs/decisions/0007-leases.md.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, insert, or_, select, update

from sweep.change import Change, Claim, failed, recorded, released
from sweep.leases import Clock, Watch
from sweep.owner import is_gone
from sweep.schema import attempts, chunk_losses, curves, runs
from sweep.store import Store
from trainer.recipe import Recipe
from trainer.rundir import Event, Result, recipe_fields

FINISHED = frozenset({"done", "diverged"})
"""States that no run leaves: the experiment has spoken."""
CLOSED = frozenset({"failed", "cancelled"})
"""States that a run leaves when a person asks for it again."""
OPEN = frozenset({"queued", "running"})
FREE = {"owner": None, "attempt": None, "beat": None, "retry_at": None, "failures": None}
"""The columns of a run that nobody holds, and that nobody has failed at."""
LONGEST_PAUSE = 3600.0
"""Seconds between two attempts, at most. What the clock says is further off is due: it was set."""


class InitialWeights(NamedTuple):
    """Weights that a run begins with."""

    folder: str
    """The whole path."""
    hash: str


@dataclass(frozen=True)
class Job:
    """A run as the queue takes it."""

    run_id: str
    recipe: Recipe
    corpus_hash: str
    family: str
    repeat_of: str | None = None
    weights: InitialWeights | None = None
    """What it begins with; None for random weights."""


@dataclass
class Turn:
    """What one transaction did."""

    kept: set[str] = field(default_factory=set)
    """Runs whose change happened: they were still ours."""
    claimed: list[Claim] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    """Runs that were wanted and cannot be had, for now."""


class Queue:
    """Claims and records runs in the name of one scheduler."""

    def __init__(self, store: Store, owner: str, clock: Clock | None = None) -> None:
        self.store = store
        self.owner = owner
        self._clock = clock or Clock()
        self._watch = Watch(self._clock)
        self._held: dict[str, int] = {}
        """The attempts that are ours: run and number."""
        self._due: dict[str, float] = {}
        """When the pauses end that we began, by a watch that nobody sets."""

    def enqueue(self, jobs: Iterable[Job]) -> int:
        """Make every job's run known, and queue those that failed again; how many were queued."""
        wanted = {job.run_id: job for job in jobs}
        with self.store.write() as connection:  # another command may ask for the same runs
            known = self.store.states(list(wanted))
            fresh = [run_row(job) for run_id, job in wanted.items() if run_id not in known]
            again = [run_id for run_id, state in known.items() if state == "failed"]
            if fresh:
                connection.execute(insert(runs), fresh)
            for run_id in again:
                connection.execute(
                    update(runs)
                    .where(runs.c.id == run_id, runs.c.state == "failed")
                    .values(FREE | {"state": "queued", "cause": None})
                )
        return len(fresh) + len(again)

    def turn(self, changes: Sequence[Change], wanted: Sequence[str] = (), number: int = 0) -> Turn:
        """Make changes to runs that we hold, and claim `number` of those wanted: one transaction.

        Runs that are wanted are taken in the order given.
        """
        if not changes and not (wanted and number):
            return Turn()
        now = self._clock.now()
        with self.store.write() as connection:
            turn = Turn({change.run_id for change in changes if self._make(connection, change)})
            available = self._claimable(connection, wanted, now)
            turn.taken = set(wanted) - available
            ours = [run_id for run_id in wanted if run_id in available][:number]
            turn.claimed = [self._take(connection, run_id, now) for run_id in ours]
        for change in changes:
            self._held.pop(change.run_id, None)
            self._due[change.run_id] = self._clock.monotonic() + change.pause
        self._held.update({claim.run_id: claim.attempt for claim in turn.claimed})
        return turn

    def claim(self, run_id: str) -> Claim | None:
        """Take a queued run; None when it cannot be had."""
        claimed = self.turn([], [run_id], 1).claimed
        return claimed[0] if claimed else None

    def record(
        self, run_id: str, result: Result, events: Sequence[Event], peak_bytes: int | None
    ) -> bool:
        """Store the outcome of a run with its curve and chunk losses; whether it was still ours."""
        return bool(self.turn([recorded(run_id, result, events, peak_bytes)]).kept)

    def release(self, run_id: str, reason: str) -> bool:
        """Put a run that was stopped back into the queue; whether it was still ours."""
        return bool(self.turn([released(run_id, reason)]).kept)

    def fail(self, run_id: str, reason: str, peak_bytes: int | None, *, retry: bool) -> bool:
        """End a failed attempt, and queue the run again if `retry`; whether it was still ours."""
        again = 0.0 if retry else None
        return bool(self.turn([failed(run_id, reason, peak_bytes, again)]).kept)

    def renew(self) -> None:
        """Show that we live, for all runs that are ours."""
        if not self._held:
            return
        ours = (runs.c.owner == self.owner) & (runs.c.state == "running")
        with self.store.write() as connection:
            beat = func.coalesce(runs.c.beat, 0) + 1
            connection.execute(update(runs).where(ours).values(beat=beat))

    def lost(self) -> set[str]:
        """Runs that we hold no longer: somebody has cancelled them, or taken them over."""
        if not self._held:
            return set()
        query = select(runs.c.id, runs.c.attempt).where(
            runs.c.owner == self.owner, runs.c.state == "running"
        )
        with self.store.begin() as connection:
            ours = {(row[0], row[1]) for row in connection.execute(query)}
        return {run_id for run_id, attempt in self._held.items() if (run_id, attempt) not in ours}

    def reclaim_lost(self) -> int:
        """Queue the runs again whose scheduler is gone or silent; how many there were."""
        held = (runs.c.id, runs.c.owner, runs.c.attempt, runs.c.beat)
        running = select(*held).where(runs.c.state == "running", runs.c.owner.is_not(None))
        with self.store.begin() as connection:
            found = [row for row in connection.execute(running) if row[1] != self.owner]
        silent = self._watch.silent([tuple(row) for row in found])
        reasons = {
            tuple(row): "its scheduler ended" if is_gone(row[1]) else self._watch.reason
            for row in found
            if tuple(row) in silent or is_gone(row[1])
        }
        if not reasons:
            return 0
        with self.store.write() as connection:
            return sum(self._lose(connection, lease, reason) for lease, reason in reasons.items())

    def _make(self, connection: Connection, change: Change) -> bool:
        run_id, attempt = change.run_id, self._held.get(change.run_id)
        ours = (
            (runs.c.id == run_id)
            & (runs.c.owner == self.owner)
            & (runs.c.attempt == attempt)
            & (runs.c.state == "running")
        )
        values = _columns(change, self._clock.now())
        if connection.execute(update(runs).where(ours).values(values)).rowcount != 1:
            return False
        if change.result:
            _insert_curves(connection, change, change.result)
        ended = {"outcome": change.outcome, "reason": change.reason}
        end_attempt(self.store, connection, run_id, **ended, peak_bytes=change.peak_bytes)
        return True

    def _lose(self, connection: Connection, lease: tuple[Any, ...], reason: str) -> bool:
        """Take a lease from its owner, if it is as it was seen."""
        run_id, owner, attempt, beat = lease
        held = (
            (runs.c.id == run_id)
            & (runs.c.state == "running")
            & (runs.c.owner == owner)
            & runs.c.attempt.is_not_distinct_from(attempt)
            & runs.c.beat.is_not_distinct_from(beat)
        )
        changed = connection.execute(
            update(runs).where(held).values(state="queued", owner=None, attempt=None, beat=None)
        )
        if changed.rowcount == 1:
            end_attempt(self.store, connection, run_id, outcome="lost", reason=reason)
        return changed.rowcount == 1

    def _claimable(self, connection: Connection, wanted: Sequence[str], now: float) -> set[str]:
        """Those that are queued, and whose pause is over."""
        watch = self._clock.monotonic()
        over = [run_id for run_id in wanted if self._due.get(run_id, watch + 1) <= watch]
        at = runs.c.retry_at
        due = or_(at.is_(None), at <= now, at > now + LONGEST_PAUSE, runs.c.id.in_(over))
        query = select(runs.c.id).where(runs.c.id.in_(wanted), runs.c.state == "queued", due)
        return set(connection.execute(query).scalars())

    def _take(self, connection: Connection, run_id: str, now: float) -> Claim:
        """Within a transaction in which nobody else writes."""
        latest = select(func.max(attempts.c.number)).where(attempts.c.run_id == run_id)
        number = (connection.execute(latest).scalar_one() or 0) + 1
        failures = select(runs.c.failures).where(runs.c.id == run_id)
        held = {"state": "running", "owner": self.owner, "attempt": number, "beat": 0}
        connection.execute(update(runs).where(runs.c.id == run_id).values(held))
        connection.execute(insert(attempts).values(run_id=run_id, number=number, claimed=now))
        return Claim(run_id, number, connection.execute(failures).scalar_one() or 0)


def end_attempt(store: Store, connection: Connection, run_id: str, **columns: object) -> None:
    """Say how the attempt at a run ended that had not ended yet, if there is one."""
    unfinished = (attempts.c.run_id == run_id) & attempts.c.ended.is_(None)
    ended = update(attempts).where(unfinished).values(ended=time.time(), **columns)
    if connection.execute(ended).rowcount and store.ledger:
        store.ledger.note_attempt(connection, run_id)


def _insert_curves(connection: Connection, change: Change, result: Result) -> None:
    curve = [{"run_id": change.run_id, **event.model_dump()} for event in change.events]
    chunks = [
        {"run_id": change.run_id, "chunk": chunk, "loss": loss}
        for chunk, loss in enumerate(result.chunk_losses)
    ]
    for table, rows in ((curves, curve), (chunk_losses, chunks)):
        if rows:
            connection.execute(insert(table), rows)


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


def _columns(change: Change, now: float) -> dict[str, Any]:
    """The columns of `runs` that a change fills."""
    free: dict[str, Any] = {**FREE, "state": change.state}
    if change.result:
        return {**free, **change.result.model_dump(exclude={"chunk_losses"})}
    if change.state == "failed":
        return {**free, "cause": change.reason}
    del free["failures"]
    if change.outcome == "failed":
        free["failures"] = func.coalesce(runs.c.failures, 0) + 1
    return {**free, "retry_at": now + change.pause if change.pause else None}
