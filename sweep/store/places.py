"""Where the runs of a study stand in its plan, without what was recorded about them."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select

from sweep.store.schema import arms, members, planned_runs, runs
from sweep.store.states import RunState
from sweep.store.store import Store


class Place(NamedTuple):
    """A run's place in a study, and its state."""

    arm: str
    seed: int
    run_id: str
    state: RunState


def find_places(store: Store, study: str, arm: str | None = None) -> list[Place]:
    """The places of a study's runs, or of one arm's, ordered by arm and seed."""
    query = (
        select(arms.c.name, members.c.seed, runs.c.id, runs.c.state)
        .select_from(planned_runs)
        .where(arms.c.study == study)
        .order_by(arms.c.position, members.c.seed)
    )
    if arm is not None:
        query = query.where(arms.c.name == arm)
    with store.begin() as connection:
        return [Place._make(row) for row in connection.execute(query)]
