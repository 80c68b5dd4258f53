"""Where the runs of a study stand in its plan, their states and attempts: what changes while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Select, select

from sweep.store.rows import AttemptRow, RunRow
from sweep.store.schema import arms, attempts, members, planned_runs, runs, studies
from sweep.store.select_in import select_in
from sweep.store.states import RunState
from sweep.store.store import Store


class Place(NamedTuple):
    """A run's place in a study, and its state."""

    arm: str
    seed: int
    run_id: str
    family: str
    state: RunState
    owner: str | None
    """The scheduler that trains it: host, process id and start time."""

    @property
    def label(self) -> str:
        """ARM/SEED."""
        return f"{self.arm}/{self.seed}"


def find_places(store: Store, study: str, arm: str | None = None) -> list[Place]:
    """The places of a study's runs, or of one arm's, ordered by arm and seed."""
    query = (
        select(arms.c.name, members.c.seed, runs.c.id, runs.c.family, runs.c.state, runs.c.owner)
        .select_from(planned_runs)
        .where(arms.c.study == study)
        .order_by(arms.c.position, members.c.seed)
    )
    if arm is not None:
        query = query.where(arms.c.name == arm)
    with store.begin() as connection:
        return [Place._make(row) for row in connection.execute(query)]


def study_attempts(store: Store, study: str) -> list[AttemptRow]:
    """All attempts at runs of a study, in the order in which they began."""
    chosen: Select[tuple[str]] = select(members.c.run_id).join(arms).where(arms.c.study == study)
    query = select(attempts).where(attempts.c.run_id.in_(chosen)).order_by(attempts.c.claimed)
    with store.begin() as connection:
        return [AttemptRow(**row) for row in connection.execute(query).mappings()]


def runs_by_id(store: Store, ids: Sequence[str]) -> Mapping[str, RunRow]:
    """All that is recorded about runs."""
    with store.begin() as connection:
        rows = select_in(connection, select(runs), runs.c.id, ids)
        return {row["id"]: RunRow(**row) for row in rows}


class StudyPlace(NamedTuple):
    """The study, arm and seed of a run."""

    study: str
    arm: str
    seed: int


def places_of_run(store: Store, run_id: str) -> list[StudyPlace]:
    """Where a run stands in the studies that have it; those last run come first."""
    query = (
        select(arms.c.study, arms.c.name, members.c.seed)
        .select_from(planned_runs.join(studies, studies.c.name == arms.c.study))
        .where(runs.c.id == run_id)
        .order_by(studies.c.last_run.desc(), arms.c.position)
    )
    with store.begin() as connection:
        return [StudyPlace._make(row) for row in connection.execute(query)]
