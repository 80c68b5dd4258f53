"""The states of runs, and the only code that changes them (with `sweep.queue.control`, for people).

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

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, or_, select, update

from sweep.queue.changes import Change, Claim
from sweep.queue.leases import Clock, Watch
from sweep.queue.owner import is_gone
from sweep.queue.recording import FREE, end_attempts, make
from sweep.store.schema import attempts, runs
from sweep.store.select_in import select_in
from sweep.store.states import AttemptOutcome, RunState
from sweep.store.store import Store
from sweep.workload.job import Job

LONGEST_PAUSE = 3600.0
"""Seconds between two attempts, at most. What the clock says is further off is due: it was set."""


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
            again = [run_id for run_id, state in known.items() if state == RunState.FAILED]
            if fresh:
                connection.execute(insert(runs), fresh)
            for run_id in again:
                connection.execute(
                    update(runs)
                    .where(runs.c.id == run_id, runs.c.state == RunState.FAILED)
                    .values(FREE | {"state": RunState.QUEUED, "cause": None})
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
            turn = Turn(self._make(connection, changes))
            available = self._claimable(connection, wanted, now)
            turn.taken = set(wanted) - available
            ours = [run_id for run_id in wanted if run_id in available][:number]
            turn.claimed = self._take(connection, ours, now)
        for change in changes:
            self._held.pop(change.run_id, None)
            self._due[change.run_id] = self._clock.monotonic() + change.pause
        self._held.update({claim.run_id: claim.attempt for claim in turn.claimed})
        return turn

    def renew(self) -> None:
        """Show that we live, for all runs that are ours."""
        if not self._held:
            return
        ours = (runs.c.owner == self.owner) & (runs.c.state == RunState.RUNNING)
        with self.store.write() as connection:
            beat = func.coalesce(runs.c.beat, 0) + 1
            connection.execute(update(runs).where(ours).values(beat=beat))

    def lost(self) -> set[str]:
        """Runs that we hold no longer: somebody has cancelled them, or taken them over."""
        if not self._held:
            return set()
        with self.store.begin() as connection:
            return self._held.keys() - self._ours(connection)

    def reclaim_lost(self) -> int:
        """Queue the runs again whose scheduler is gone or silent; how many there were."""
        held = (runs.c.id, runs.c.owner, runs.c.attempt, runs.c.beat)
        running = select(*held).where(runs.c.state == RunState.RUNNING, runs.c.owner.is_not(None))
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
            lost = {
                lease[0]: {"outcome": AttemptOutcome.LOST, "reason": reason}
                for lease, reason in reasons.items()
                if _lose(connection, lease)
            }
            end_attempts(self.store, connection, lost)
        return len(lost)

    def _ours(self, connection: Connection) -> set[str]:
        """The runs whose lease is still ours."""
        held = (runs.c.owner == self.owner) & (runs.c.state == RunState.RUNNING)
        found = connection.execute(select(runs.c.id, runs.c.attempt).where(held))
        return {run_id for run_id, attempt in found if self._held.get(run_id) == attempt}

    def _make(self, connection: Connection, changes: Sequence[Change]) -> set[str]:
        """Make those changes whose runs are still ours; which ones. Nobody else writes meanwhile."""
        ours = self._ours(connection) if changes else set()
        kept = [change for change in changes if change.run_id in ours]
        make(self.store, connection, kept, self._clock.now())
        return {change.run_id for change in kept}

    def _claimable(self, connection: Connection, wanted: Sequence[str], now: float) -> set[str]:
        """Those that are queued, and whose pause is over."""
        watch = self._clock.monotonic()
        over = [run_id for run_id in wanted if self._due.get(run_id, watch + 1) <= watch]
        at = runs.c.retry_at
        due = or_(at.is_(None), at <= now, at > now + LONGEST_PAUSE, runs.c.id.in_(over))
        query = select(runs.c.id).where(runs.c.id.in_(wanted), runs.c.state == RunState.QUEUED, due)
        return set(connection.execute(query).scalars())

    def _take(self, connection: Connection, ids: Sequence[str], now: float) -> list[Claim]:
        """Within a transaction in which nobody else writes."""
        latest = select(func.max(attempts.c.number)).where(attempts.c.run_id == runs.c.id)
        query = select(runs.c.id, latest.label("latest"), runs.c.failures)
        found = {row["id"]: row for row in select_in(connection, query, runs.c.id, ids)}
        claims = [
            Claim(of, (found[of]["latest"] or 0) + 1, found[of]["failures"] or 0) for of in ids
        ]
        if claims:
            held = {"state": RunState.RUNNING, "owner": self.owner, "beat": 0}
            same = update(runs).where(runs.c.id == bindparam("of_run")).values(held)
            numbers = [{"of_run": claim.run_id, "attempt": claim.attempt} for claim in claims]
            connection.execute(same.values(attempt=bindparam("attempt")), numbers)
            begun = [{"run_id": c.run_id, "number": c.attempt, "claimed": now} for c in claims]
            connection.execute(insert(attempts), begun)
        return claims


def _lose(connection: Connection, lease: tuple[Any, ...]) -> bool:
    """Take a lease from its owner, if it is as it was seen."""
    run_id, owner, attempt, beat = lease
    held = (
        (runs.c.id == run_id)
        & (runs.c.state == RunState.RUNNING)
        & (runs.c.owner == owner)
        & runs.c.attempt.is_not_distinct_from(attempt)
        & runs.c.beat.is_not_distinct_from(beat)
    )
    free = {"state": RunState.QUEUED, "owner": None, "attempt": None, "beat": None}
    return connection.execute(update(runs).where(held).values(free)).rowcount == 1


def run_row(job: Job) -> dict[str, Any]:
    """A run as it is before anybody has begun on it."""
    seeds = job.spec.seeds
    return {
        "id": job.run_id,
        "repeat_of": job.repeat_of,
        "recipe": job.spec.parameters(),
        "corpus_hash": job.corpus_hash,
        "family": job.family,
        "init_seed": seeds.init,
        "order_seed": seeds.order,
        "dropout_seed": seeds.dropout,
        "state": RunState.QUEUED,
    }
