"""The states of runs. Only this module and `sweep.queue.control` (user commands) change them.

    queued ──claim──> running ──record──> done | diverged
      ^ ^                │
      │ └──release───────┤ lost: its scheduler is gone, or silent for LEASE_SECONDS
      └────fail, again───┴──fail──> failed        any of these ──cancel──> cancelled

A claim is a lease. The attempt's number grows with each claim of a run and is the fencing token:
every change is a compare-and-set on it, and returns whether it was made. A scheduler that was
suspended while its lease was taken over has an old number, so its changes are not made. Clocks of
two processes are never compared: a lease has expired when another scheduler, by its own clock, has
seen no renewal for long enough.
See docs/decisions/0007-leases.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, or_, select, update

from sweep.queue.changes import Change, Claim
from sweep.queue.leases import Clock, Watch
from sweep.queue.owner import is_gone
from sweep.queue.recording import UNCLAIMED, apply_changes, end_attempts
from sweep.store.schema import attempts, runs
from sweep.store.select_in import select_in
from sweep.store.states import AttemptOutcome, RunState
from sweep.store.store import Store
from sweep.workload.job import Job

FEW_EXTRA_CLAIMS = 8
EXTRA_CLAIMS = 100
"""Jobs to ask for beyond the free slots, since another scheduler may hold the first ones."""
MAX_PAUSE = 3600.0
"""Maximum seconds between two attempts. A longer remaining pause means that the clock was set."""


@dataclass
class Turn:
    """The outcome of one transaction."""

    kept: set[str] = field(default_factory=set)
    """Runs with a change that was made. The other runs belong to another scheduler by now."""
    claimed: list[Claim] = field(default_factory=list)
    unavailable: set[str] = field(default_factory=set)
    """Wanted runs that cannot be claimed for now."""


class Queue:
    """Claims and records runs for one scheduler."""

    def __init__(self, store: Store, owner: str, clock: Clock | None = None) -> None:
        self.store = store
        self.owner = owner
        self._clock = clock or Clock()
        self._watch = Watch(self._clock)
        self._held: dict[str, int] = {}
        """The attempts that this scheduler holds: the number, by run."""
        self._due: dict[str, float] = {}
        """Monotonic time at which a run's pause ends, for pauses that this scheduler began."""

    def enqueue(self, jobs: Iterable[Job]) -> int:
        """Insert new runs and queue failed ones again; returns how many were queued."""
        wanted = {job.run_id: job for job in jobs}
        with self.store.write() as connection:  # another command may queue the same runs
            known = self._insert_new(connection, wanted)
            again = [run_id for run_id, state in known.items() if state == RunState.FAILED]
            for run_id in again:
                connection.execute(
                    update(runs)
                    .where(runs.c.id == run_id, runs.c.state == RunState.FAILED)
                    .values(UNCLAIMED | {"state": RunState.QUEUED, "cause": None})
                )
        return len(wanted) - len(known) + len(again)

    def add_new(self, jobs: Iterable[Job]) -> None:
        """Insert runs that do not exist yet. Failed ones stay as they are."""
        with self.store.write() as connection:
            self._insert_new(connection, {job.run_id: job for job in jobs})

    def _insert_new(self, connection: Connection, wanted: Mapping[str, Job]) -> dict[str, RunState]:
        """Insert the runs that do not exist yet; returns the states of the others."""
        known = self.store.states(list(wanted))
        fresh = [run_row(job) for run_id, job in wanted.items() if run_id not in known]
        if fresh:
            connection.execute(insert(runs), fresh)
        return known

    def turn(self, changes: Sequence[Change], wanted: Sequence[str] = (), number: int = 0) -> Turn:
        """Record changes and claim up to `number` of the wanted runs, in one transaction.

        Only runs that this scheduler still holds are changed. Runs are claimed in the given order.
        """
        if not changes and not (wanted and number):
            return Turn()
        now = self._clock.now()
        with self.store.write() as connection:
            turn = Turn(self._record(connection, changes))
            available = self._claimable(connection, wanted, now)
            turn.unavailable = set(wanted) - available
            chosen = [run_id for run_id in wanted if run_id in available][:number]
            turn.claimed = self._claim(connection, chosen, now)
        for change in changes:
            self._held.pop(change.run_id, None)
            self._due[change.run_id] = self._clock.monotonic() + change.pause
        self._held.update({claim.run_id: claim.attempt for claim in turn.claimed})
        return turn

    def renew(self) -> None:
        """Renew the leases of all runs that this scheduler holds."""
        if not self._held:
            return
        ours = (runs.c.owner == self.owner) & (runs.c.state == RunState.RUNNING)
        with self.store.write() as connection:
            beat = func.coalesce(runs.c.beat, 0) + 1
            connection.execute(update(runs).where(ours).values(beat=beat))

    def lost(self) -> set[str]:
        """Return the runs that this scheduler has lost: cancelled, or taken over by another one."""
        if not self._held:
            return set()
        with self.store.begin() as connection:
            return self._held.keys() - self._ours(connection)

    def reclaim_lost(self) -> int:
        """Queue runs again if their scheduler has ended or is silent; returns how many."""
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
        """Return the runs with a lease that this scheduler still holds."""
        held = (runs.c.owner == self.owner) & (runs.c.state == RunState.RUNNING)
        found = connection.execute(select(runs.c.id, runs.c.attempt).where(held))
        return {run_id for run_id, attempt in found if self._held.get(run_id) == attempt}

    def _record(self, connection: Connection, changes: Sequence[Change]) -> set[str]:
        """Make the changes to runs that this scheduler still holds; returns those runs."""
        ours = self._ours(connection) if changes else set()
        kept = [change for change in changes if change.run_id in ours]
        apply_changes(self.store, connection, kept, self._clock.now())
        return {change.run_id for change in kept}

    def _claimable(self, connection: Connection, wanted: Sequence[str], now: float) -> set[str]:
        """Return the wanted runs that are queued and whose pause is over."""
        monotonic = self._clock.monotonic()
        over = [run_id for run_id in wanted if self._due.get(run_id, monotonic + 1) <= monotonic]
        at = runs.c.retry_at
        due = or_(at.is_(None), at <= now, at > now + MAX_PAUSE, runs.c.id.in_(over))
        query = select(runs.c.id).where(runs.c.id.in_(wanted), runs.c.state == RunState.QUEUED, due)
        return set(connection.execute(query).scalars())

    def _claim(self, connection: Connection, ids: Sequence[str], now: float) -> list[Claim]:
        """Claim runs, in a transaction with the write lock."""
        latest = select(func.max(attempts.c.number)).where(attempts.c.run_id == runs.c.id)
        query = select(runs.c.id, latest.label("latest"), runs.c.failures)
        found = {row["id"]: row for row in select_in(connection, query, runs.c.id, ids)}
        claims = [
            Claim(each, (found[each]["latest"] or 0) + 1, found[each]["failures"] or 0)
            for each in ids
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
    """Queue a run again unless its lease has changed since it was read; returns True if queued."""
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
    """Return the columns of a new run."""
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
