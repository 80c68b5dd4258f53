"""Runs of a plan that had results before the plan was made, so that these could be known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import Connection, select

from sweep.history.looks import last_plan
from sweep.store.schema import arms, members, runs
from sweep.store.select_in import select_in
from sweep.store.states import FINISHED
from sweep.store.store import Store

RunIds = Mapping[tuple[str, int], str]
"""Ids of runs by arm and seed."""


def existed_before(
    store: Store, connection: Connection, study: str, run_ids: RunIds
) -> dict[str, list[int]] | None:
    """Return the seeds of each arm whose runs had results before the study's new plan.

    These are runs of other studies, of `sweep noise`, and of arms that the study had removed, but
    not those that its plan before this one had asked for. Call it before the arms are replaced.
    Returns None if that was not recorded for the plan before this one, by an older version.
    """
    earlier = _of_last_plan(connection, study)
    if earlier is None:
        return None
    own = {run_id: run_id in earlier for run_id in _members(connection, study).values()}
    others = {run_id for run_id in run_ids.values() if run_id not in own}
    query = select(runs.c.id, runs.c.state)
    done = {
        row["id"]
        for row in select_in(connection, query, runs.c.id, list(others))
        if row["state"] in FINISHED
    }
    if store.ledger:  # a database that was lost knows nothing of the results in the directories
        done |= {each for each in others - done if store.ledger.run(each).result.exists()}
    found: dict[str, list[int]] = defaultdict(list)
    for (arm, seed), run_id in run_ids.items():
        if run_id in done or own.get(run_id):
            found[arm].append(seed)
    return dict(found)


def _of_last_plan(connection: Connection, study: str) -> set[str] | None:
    """The runs that existed before the study's last plan; None if that is unknown."""
    plan = last_plan(connection, study)
    if plan is None:
        return set()
    if plan.existed is None:
        return None
    ids = _members(connection, study)
    return {
        ids[arm, seed]
        for arm, seeds in plan.existed.items()
        for seed in seeds
        if (arm, seed) in ids
    }


def _members(connection: Connection, study: str) -> dict[tuple[str, int], str]:
    query = select(arms.c.name, members.c.seed, members.c.run_id).join(members)
    rows = connection.execute(query.where(arms.c.study == study))
    return {(arm, seed): run_id for arm, seed, run_id in rows}
