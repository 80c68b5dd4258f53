"""A study's plan, recorded before its first run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from sweep.design.plan import Plan
from sweep.errors import StudyError
from sweep.store.schema import arms, members, plans, studies
from sweep.store.store import Store


def save_plan(store: Store, plan: Plan, path: Path, run_ids: dict[tuple[str, int], str]) -> None:
    """Store a study's plan, its arms, and which run answers for which arm and seed.

    `run_ids` maps (arm, seed) to runs that exist already.
    """
    name, now = plan.study.name, time.time()
    row = {"path": str(path), "plan_hash": plan.hash, "last_run": now}
    with store.write() as connection:
        known = connection.execute(select(studies).where(studies.c.name == name)).first()
        if known is None:
            connection.execute(insert(studies).values(name=name, **row))
        elif known.imported:
            raise StudyError(
                f"a study {name!r} was imported from {known.path}; give the one in {path} "
                "another name"
            )
        else:
            _check_kind(connection, known, plan, path)
            connection.execute(update(studies).where(studies.c.name == name).values(**row))
        save_content(connection, name, plan.hash, plan.content())
        connection.execute(delete(arms).where(arms.c.study == name))
        for position, arm in enumerate(plan.arms):
            added = connection.execute(
                insert(arms).values(
                    study=name,
                    name=arm.name,
                    position=position,
                    interventions=list(arm.interventions),
                    changes=arm.changes,
                )
            )
            (arm_id,) = added.inserted_primary_key or (None,)
            rows = [
                {"arm_id": arm_id, "seed": seed, "run_id": run_ids[arm.name, seed]}
                for seed in plan.seeds
            ]
            connection.execute(insert(members), rows)
        store.write_down(connection, name)


def save_content(connection: Connection, study: str, digest: str, content: object) -> None:
    """Store what a plan consists of, unless the study had that plan before."""
    same = (plans.c.study == study) & (plans.c.hash == digest)
    if connection.execute(select(plans.c.hash).where(same)).first() is None:
        values = {"study": study, "hash": digest, "content": content, "stored": time.time()}
        connection.execute(insert(plans).values(**values))


def _check_kind(connection: Connection, known: Row[Any], plan: Plan, path: Path) -> None:
    """A stack is no study of a file, and neither takes the other's place."""
    same = (plans.c.study == known.name) & (plans.c.hash == known.plan_hash)
    before = connection.execute(select(plans.c.content).where(same)).scalar_one().get("stack")
    if bool(before) == bool(plan.stack):
        return
    if before:
        raise StudyError(
            f"{known.name!r} is the name of a stack that `sweep stack {before['of']}` made; give "
            f"the study in {path} another name"
        )
    raise StudyError(
        f"the stack would be called {known.name!r}, which is the name of the study in {known.path}; "
        "give that study another name"
    )
