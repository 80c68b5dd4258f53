"""Find a run by its id, the beginning of its id, or ARM/SEED."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from sweep.errors import NotFoundError, listed, nearest
from sweep.store.rows import FoundRun, PlannedRun, RunRow, planned_run
from sweep.store.schema import arms, members, planned_runs, runs
from sweep.store.store import Store
from sweep.terminal.printable import shown

MAX_SEED = 2**63 - 1
"""The largest integer that the database holds."""
MAX_DIGITS = 20
MAX_NAME = 10_000
"""Characters. Ids and ARM/SEED have fewer; SQLite compares no beginning of 50,000."""
MANY_SEEDS = 10
"""Seeds that are listed one by one."""
HOW_TO_NAME = (
    "name a run by the beginning of its id, or as ARM/SEED with --study STUDY (`sweep list` shows "
    "the studies, `sweep status STUDY` the arms of one)"
)


def find_run(store: Store, name: str, study: str | None = None) -> FoundRun:
    """Find the run called `name`: an id, the beginning of one, or ARM/SEED of a study.

    Without a `study`, ARM/SEED is looked up in the study last run, then in the others if exactly
    one of them has such a run. Raises NotFoundError if there is no such run, or more than one.
    """
    if len(name) > MAX_NAME:
        raise NotFoundError(
            f"there is no run {shown(name)}, which is longer than any; {HOW_TO_NAME}"
        )
    place = _find_place(store, name, study)
    if place:
        return FoundRun(run=place.run, place=place)
    run = _find_id(store, name)
    if run is None:
        raise NotFoundError(f"there is no run {name!r}{_advice(store, name, study)}")
    return FoundRun(run=run)


def _find_place(store: Store, name: str, study: str | None) -> PlannedRun | None:
    arm, slash, seed = name.rpartition("/")
    if not (slash and seed.isdecimal() and len(seed) < MAX_DIGITS and int(seed) <= MAX_SEED):
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


def _find_id(store: Store, name: str) -> RunRow | None:
    begins = runs.c.id.startswith(name, autoescape=True)
    # The id of an exact rerun begins with that of the run it repeats, which is meant then.
    is_rerun = runs.c.repeat_of.startswith(name, autoescape=True)
    query = select(runs).where(begins, is_rerun.is_not(True)).limit(2)
    with store.begin() as connection:
        found = connection.execute(query).mappings().all()
    if len(found) > 1:
        raise NotFoundError(f"more than one run begins with {name!r}; {HOW_TO_NAME}")
    return RunRow(**found[0]) if found else None


def _advice(store: Store, name: str, study: str | None) -> str:
    """The end of a sentence on a run that does not exist: what the study has instead."""
    arm, slash, seed = name.rpartition("/") if "/" in name else (name, "", "")
    if not store.studies():
        return f"; {HOW_TO_NAME}"
    where = store.study(study).name
    seeds = _seeds_by_arm(store, where)
    if arm in seeds:
        there = f"the arm {arm!r} of {where} has the {seed_words(seeds[arm])}"
        return f"; {there}" if slash else f"; {there}: name {arm + '/' + str(seeds[arm][0])!r}"
    near = nearest(arm, seeds)
    if near is None:
        return f"; {HOW_TO_NAME}"
    wanted = int(seed) if seed.isdecimal() and len(seed) < MAX_DIGITS else None
    there_too = wanted if wanted in seeds[near] else seeds[near][0]
    return f"; did you mean {f'{near}/{there_too}'!r}?"


def _seeds_by_arm(store: Store, study: str) -> dict[str, list[int]]:
    query = select(arms.c.name, members.c.seed).select_from(planned_runs)
    query = query.where(arms.c.study == study).order_by(arms.c.position, members.c.seed)
    seeds: dict[str, list[int]] = {}
    with store.begin() as connection:
        for arm, seed in connection.execute(query):
            seeds.setdefault(arm, []).append(seed)
    return seeds


def seed_words(seeds: Sequence[int]) -> str:
    """`seed 3`, `seeds 1 to 5`, or `seeds 11, 12 and 15`."""
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    if list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"seeds {seeds[0]} to {seeds[-1]}"
    if len(seeds) > MANY_SEEDS:
        return f"{len(seeds)} seeds {seeds[0]}, {seeds[1]}, … {seeds[-1]}"
    return f"seeds {listed(seeds)}"
