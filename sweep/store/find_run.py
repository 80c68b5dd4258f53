"""Find a run by its id, the beginning of its id, or ARM/SEED."""

from __future__ import annotations

from sqlalchemy import select

from sweep.errors import NotFoundError, listed
from sweep.store.rows import FoundRun, PlannedRun, RunRow, planned_run
from sweep.store.schema import arms, members, planned_runs, runs
from sweep.store.store import Store

MAX_SEED = 2**63 - 1
"""The largest integer that the database holds."""


def find_run(store: Store, name: str, study: str | None = None) -> FoundRun:
    """Find the run called `name`: an id, the beginning of one, or ARM/SEED of a study.

    Without a `study`, ARM/SEED is looked up in the study last run, then in the others if exactly
    one of them has such a run. Raises NotFoundError if there is no such run, or more than one.
    """
    place = _find_place(store, name, study)
    return FoundRun(run=place.run, place=place) if place else FoundRun(run=_find_id(store, name))


def _find_place(store: Store, name: str, study: str | None) -> PlannedRun | None:
    arm, slash, seed = name.rpartition("/")
    if not (slash and seed.isdecimal() and len(seed) < 20 and int(seed) <= MAX_SEED):
        return None
    query = (
        select(arms.c.name, members.c.seed, arms.c.study, runs)
        .select_from(planned_runs)
        .where(arms.c.name == arm, members.c.seed == int(seed))
    )
    with store.begin() as connection:
        places = [planned_run(row) for row in connection.execute(query).mappings()]
    found = {place.study: place for place in places}
    preferred = store.study(study).name
    if study or preferred in found or not found:
        return found.get(preferred)
    if len(found) > 1:
        raise NotFoundError(
            f"{preferred}, the study last run, has no run {name!r}, but {listed(sorted(found))} "
            "have; say which with --study STUDY"
        )
    return next(iter(found.values()))


def _find_id(store: Store, name: str) -> RunRow:
    begins = runs.c.id.startswith(name, autoescape=True)
    # The id of an exact rerun begins with that of the run it repeats, which is meant then.
    is_rerun = runs.c.repeat_of.startswith(name, autoescape=True)
    query = select(runs).where(begins, is_rerun.is_not(True)).limit(2)
    with store.begin() as connection:
        found = connection.execute(query).mappings().all()
    if len(found) == 1:
        return RunRow(**found[0])
    problem = "more than one run begins with" if found else "there is no run"
    raise NotFoundError(
        f"{problem} {name!r}; name a run by the beginning of its id, or as ARM/SEED with "
        "--study STUDY (`sweep list` shows the studies, `sweep status STUDY` the arms of one)"
    )
