"""Store the trials of a search: the study that has them, its arms and their runs."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from sweep.design.plan import Plan
from sweep.errors import StudyError
from sweep.history.looks import last_plan
from sweep.history.record import save_arm
from sweep.searching.optuna_study import Asked
from sweep.searching.problem import Problem, search_content
from sweep.store.schema import arms, members, plans, studies, trials
from sweep.store.store import Store
from sweep.study.names import trials_name
from sweep.workload.job import Job


@dataclass(frozen=True, kw_only=True)
class NewTrial:
    """A trial that is not stored yet."""

    number: int
    asked: Asked
    jobs: Mapping[int, Job]
    """By seed; empty if the values are refused."""
    refused: str | None = None
    """Why the values give no valid recipe."""


def save_search(store: Store, plan: Plan, problems: Sequence[Problem], path: Path) -> None:
    """Store the study of the trials and its plan, if the store has no such plan yet.

    Raises StudyError if a study of another kind has its name.
    """
    content = _content(plan, problems)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    name = trials_name(plan.study.name)
    row = {"path": str(path), "plan_hash": digest, "last_run": time.time()}
    with store.write() as connection:
        _check_name(connection, name, path)
        known = select(studies.c.name).where(studies.c.name == name)
        if connection.execute(known).first():
            connection.execute(update(studies).where(studies.c.name == name).values(**row))
        else:
            connection.execute(insert(studies).values(name=name, **row))
        same = (plans.c.study == name) & (plans.c.hash == digest)
        if not connection.execute(select(plans.c.hash).where(same)).first():
            stored = {"study": name, "hash": digest, "content": content, "stored": time.time()}
            connection.execute(insert(plans).values(**stored))
        _drop_other_searches(connection, name, [problem.key for problem in problems])


def _content(plan: Plan, problems: Sequence[Problem]) -> dict[str, Any]:
    name = trials_name(plan.study.name)
    content = plan.content()
    tuned = {problem.arm.name: json.loads(problem.arm.identity) for problem in problems}
    search = asdict(search_content(problems))
    seeds = list(problems[0].search.seeds)
    return {**content, "study": name, "seeds": seeds, "arms": tuned, "search": search}


def _check_name(connection: Connection, name: str, path: Path) -> None:
    plan = last_plan(connection, name)
    if plan is not None and plan.search is None:
        other = connection.execute(select(studies.c.path).where(studies.c.name == name)).scalar()
        raise StudyError(
            f"{path}: the trials of the search would be the study {name!r}, which is the name of the "
            f"one in {other}; give that study another name"
        )


def _drop_other_searches(connection: Connection, study: str, keys: Sequence[str]) -> None:
    """Take the trials of searches that the study no longer asks for out of it; runs are kept."""
    others = (trials.c.study == study) & trials.c.search.not_in(keys)
    names = select(trials.c.name).where(others)
    connection.execute(delete(arms).where(arms.c.study == study, arms.c.name.in_(names)))
    connection.execute(delete(trials).where(others))


def save_trial(store: Store, problem: Problem, new: NewTrial) -> bool:
    """Store a trial with its runs, which exist already; False if there is one of its number."""
    study, name = trials_name(problem.study.name), problem.trial_name(new.number)
    key = {"study": study, "search": problem.key, "number": new.number}
    with store.write() as connection:
        of_search = (trials.c.study == study) & (trials.c.search == problem.key)
        count = select(func.count()).select_from(trials).where(of_search)
        if connection.execute(count).scalar_one() != new.number:
            return False
        position = select(func.count()).select_from(arms).where(arms.c.study == study)
        changes = {**problem.arm.changes, **new.asked.values}
        arm = replace(problem.arm, name=name, changes=changes)
        arm_id = save_arm(connection, study, connection.execute(position).scalar_one(), arm)
        runs = [
            {"arm_id": arm_id, "seed": seed, "run_id": job.run_id} for seed, job in new.jobs.items()
        ]
        if runs:
            connection.execute(insert(members), runs)
        row = {
            **key,
            "arm": problem.arm.name,
            "name": name,
            "field_values": dict(new.asked.values),
            "sampler_state": dict(new.asked.sampler_state),
            "refused": new.refused,
            "asked": time.time(),
        }
        connection.execute(insert(trials).values(**row))
        store.write_study_file(connection, study)
    return True


def save_pruning(store: Store, problem: Problem, number: int, step: int) -> None:
    """Note the step at which a trial is stopped. Its runs are cancelled afterwards."""
    study = trials_name(problem.study.name)
    row = (trials.c.study == study) & (trials.c.search == problem.key) & (trials.c.number == number)
    with store.write() as connection:
        connection.execute(update(trials).where(row).values(pruned_at=step))
        store.write_study_file(connection, study)
