"""Rename and delete studies, and keep notes and tags on them."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, exists, insert, or_, select, update

from sweep.errors import StudyError, listed
from sweep.queue.presence import is_trained
from sweep.store.ledger import (
    NOISES,
    PART_OF_RUN,
    STUDIES,
    Ledger,
    directory_name,
    study_file,
)
from sweep.store.rows import StudyRow
from sweep.store.schema import (
    arms,
    attempts,
    members,
    noises,
    plans,
    references,
    runs,
    studies,
    trials,
)
from sweep.store.select_in import VALUES_PER_STATEMENT
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.study.names import check_name, trials_name

NAMING = (plans.c.study, arms.c.study, references.c.study, trials.c.study, noises.c.study)
"""Columns with the name of a study, other than its own."""


@dataclass(frozen=True, kw_only=True)
class Belongings:
    """The runs of a study."""

    own: Sequence[str]
    """Ids of those that no other study has."""
    shared: Mapping[str, int]
    """Numbers of those that other studies have too, by study."""
    weights: Sequence[str]
    """Ids of those, not in `own`, whose weights runs of other studies start from."""


def rename_study(store: Store, study: StudyRow, name: str) -> None:
    """Rename a study. Raises StudyError if the name is taken or the study in use."""
    _check_free(store, study)
    if trials := store.study_if_any(trials_name(study.name)):
        raise StudyError(
            f"{study.name} has the search {trials.name}, which is found by this name; it cannot be renamed"
        )
    try:
        check_name(name)
    except ValueError as error:
        raise StudyError(str(error)) from error
    if store.study_if_any(name):
        raise StudyError(f"there is a study {name!r} already; choose another name")
    with store.write() as connection:
        row = connection.execute(select(studies).where(studies.c.name == study.name)).mappings()
        connection.execute(insert(studies).values(**{**row.one(), "name": name}))
        for column in NAMING:
            ours = update(column.table).where(column == study.name)
            connection.execute(ours.values({column: name}))
        connection.execute(delete(studies).where(studies.c.name == study.name))
        store.write_study_file(connection, name)
        store.write_noise_file(connection, name)
    _remove_files(store.ledger, study.name)


def find_belongings(store: Store, study: StudyRow) -> Belongings:
    """The runs of a study, and the studies that share some of them."""
    with store.begin() as connection:
        return _belongings(connection, study)


def _belongings(connection: Connection, study: StudyRow) -> Belongings:
    ours = select(members.c.run_id).join(arms).where(arms.c.study == study.name)
    query = (
        select(arms.c.study, members.c.run_id)
        .select_from(members.join(arms))
        .where(members.c.run_id.in_(ours))
        .distinct()
    )
    by_study: dict[str, set[str]] = {}
    for name, run_id in connection.execute(query):
        by_study.setdefault(name, set()).add(run_id)
    own = by_study.pop(study.name, set())
    own = own.difference(*by_study.values())
    weights = _starts_of_others(connection, own)
    return Belongings(
        own=sorted(own - weights),
        shared={name: len(found) for name, found in sorted(by_study.items())},
        weights=sorted(weights),
    )


def _starts_of_others(connection: Connection, own: set[str]) -> set[str]:
    """Those of the runs whose weights further runs start from."""
    folder = runs.c.recipe["train", "initial_weights"].as_string()
    rows = connection.execute(select(runs.c.id, folder)).all()
    folders = {path for run_id, path in rows if path and run_id not in own}
    return {each for each in own if any(directory_name(each) in path for path in folders)}


def delete_study(store: Store, study: StudyRow, *, with_runs: bool) -> int:
    """Delete a study; returns how many runs were deleted with it.

    Runs that no other study has are kept, unless they have not begun, or `with_runs` is true: then
    their directories are removed too. Raises StudyError if the study is in use.
    """
    _check_free(store, study)
    with store.write() as connection:
        own = _belongings(connection, study).own  # as another command may have just changed it
        for column in NAMING:
            if column is not arms.c.study:
                connection.execute(delete(column.table).where(column == study.name))
        ids = select(arms.c.id).where(arms.c.study == study.name)
        connection.execute(delete(members).where(members.c.arm_id.in_(ids)))
        connection.execute(delete(arms).where(arms.c.study == study.name))
        connection.execute(delete(studies).where(studies.c.name == study.name))
        deleted = _delete_runs(connection, own, all_of_them=with_runs)
    _remove_files(store.ledger, study.name)
    for run_id in deleted:
        if store.ledger:
            shutil.rmtree(store.ledger.run(run_id).path, ignore_errors=True)
    return len(deleted)


def set_note(store: Store, study: StudyRow, note: str | None) -> None:
    """Store a note on a study, or remove it."""
    _set(store, study, note=note)


def set_tags(store: Store, study: StudyRow, tags: Sequence[str]) -> None:
    """Store the tags of a study."""
    _set(store, study, tags=sorted(set(tags)) or None)


def _set(store: Store, study: StudyRow, **values: object) -> None:
    with store.write() as connection:
        connection.execute(update(studies).where(studies.c.name == study.name).values(**values))
        store.write_study_file(connection, study.name)


def _check_free(store: Store, study: StudyRow) -> None:
    """Raise StudyError if a process trains the study, or another study refers to it."""
    if is_trained(store, study.name):
        raise StudyError(
            f"{study.name} is being trained; stop that first: `sweep cancel --study {study.name}`, or "
            "Ctrl-C where it runs"
        )
    others = [each for each in store.studies() if each.name != study.name]
    named = [each.name for each in others if study.name in _refers_to(store, each)]
    if named:
        raise StudyError(f"{listed(named)} refers to {study.name}; delete {listed(named)} first")


def _refers_to(store: Store, study: StudyRow) -> set[str]:
    plan = store.plan(study)
    return {*([plan.stack.of] if plan.stack else []), *([plan.tuned.study] if plan.tuned else [])}


def _delete_runs(connection: Connection, ids: Sequence[str], *, all_of_them: bool) -> list[str]:
    """Delete those of the runs that have not begun, or all of them; exact reruns go with theirs."""
    deleted: list[str] = []
    for first in range(0, len(ids), VALUES_PER_STATEMENT):
        some = ids[first : first + VALUES_PER_STATEMENT]
        chosen = select(runs.c.id).where(or_(runs.c.id.in_(some), runs.c.repeat_of.in_(some)))
        if not all_of_them:
            chosen = chosen.where(
                runs.c.state.in_([RunState.QUEUED, RunState.CANCELLED]),
                ~exists().where(attempts.c.run_id == runs.c.id),
            )
        deleted += connection.scalars(chosen.order_by(runs.c.repeat_of.is_(None))).all()
    for run_id in deleted:  # reruns come first: they refer to the others
        for column in PART_OF_RUN:
            connection.execute(delete(column.table).where(column == run_id))
        connection.execute(delete(runs).where(runs.c.id == run_id))
    return deleted


def _remove_files(ledger: Ledger | None, study: str) -> None:
    """Remove the files beside the runs, from which `sweep rebuild` would make the study again."""
    if ledger is None:
        return
    for folder in (STUDIES, NOISES):
        path = ledger.folder / folder / study_file(study)
        for each in (path, path.with_suffix(".lock")):
            with contextlib.suppress(OSError):
                each.unlink()
