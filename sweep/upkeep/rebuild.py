"""The database made anew from the files below the folder of runs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, Table, insert, select

from sweep.queue.queue import run_row
from sweep.store.ledger import OF_STUDIES, Ledger, Rows, directory_name
from sweep.store.schema import (
    arms,
    attempts,
    chunk_losses,
    curves,
    members,
    noises,
    plans,
    references,
    runs,
    studies,
)
from sweep.store.states import FINISHED
from sweep.trainers.builtin import GptRun
from sweep.workload.job import Job
from trainer.errors import RunDirectoryError
from trainer.rundir.directory import Request, Result, RunDirectory

AT_ONCE = 500
"""Runs that are read before they are inserted."""
UNSETTLED = frozenset({"queued", "running"}) | FINISHED
"""States that a result's file proves, and no attempt's line; a run without one is queued."""
_ROWS = TypeAdapter(Rows)


@dataclass
class Rebuilt:
    """What was found."""

    states: Counter[str] = field(default_factory=Counter)
    """Of runs."""
    studies: int = 0
    problems: list[str] = field(default_factory=list)
    """What could not be used, in sentences."""


def fill(connection: Connection, ledger: Ledger) -> Rebuilt:
    """Insert all that the files of a ledger know into an empty database, in one transaction."""
    found = Rebuilt()
    known: set[str] = set()
    later: list[Rows] = []  # a rerun refers to the run that it repeats
    for some in _slices(_directories(ledger, found)):
        firsts = [rows for rows in some if "repeat_of" not in rows["runs"][0]]
        later += [rows for rows in some if "repeat_of" in rows["runs"][0]]
        _insert_runs(connection, firsts, known, found)
    written = [_read_study(path, found) for path in ledger.studies()]
    for rows in written:
        _insert_runs(connection, [_runs_without_a_folder(rows, known)], known, found)
    _insert_runs(connection, later, known, found)
    for rows in written:
        _insert_study(connection, rows, known, found)
    for path in ledger.noises():
        insert_rows(connection, noises, _read_noises(path, found))
    return found


def _directories(ledger: Ledger, found: Rebuilt) -> Iterator[Rows]:
    """The rows of every run that has a folder of its own."""
    for directory in ledger.runs():
        try:
            request = directory.read_request()
        except RunDirectoryError as error:
            found.problems.append(str(error))
            continue
        job = _job(request, directory.path.name)
        if job is None:
            found.problems.append(f"{directory.path} is no folder that sweep made; it is left out")
            continue
        yield _rows(job, directory, found)


def _job(request: Request, name: str) -> Job | None:
    """The job that a folder of that name was made for; None when it was not made for one."""
    if request.corpus_hash is None:
        return None
    run_id, repeat_of = request.run_id, request.repeat_of
    if run_id is None:  # it was written before these had a place in it
        first = request.recipe.fingerprint(request.corpus_hash, request.weights_hash)
        again = name.endswith("-again")
        run_id, repeat_of = (f"{first}-again", first) if again else (first, None)
    family = request.family or request.recipe.family(request.corpus_hash, request.weights_hash)
    if directory_name(run_id) != name:
        return None
    return Job(
        run_id=run_id,
        family=family,
        corpus_hash=request.corpus_hash,
        repeat_of=repeat_of,
        spec=GptRun(request.recipe),
    )


def _rows(job: Job, directory: RunDirectory, found: Rebuilt) -> Rows:
    tried = directory.read_attempts()
    row = {key: value for key, value in run_row(job).items() if value is not None}
    rows: Rows = {"runs": [row], "attempts": [{"run_id": job.run_id, **each} for each in tried]}
    try:
        result = directory.read_result()
    except RunDirectoryError as error:
        found.problems.append(str(error))
        result = None
    if result is not None:
        row |= _outcome(result)
        chunks = enumerate(result.chunk_losses)
        rows["curves"] = [
            {"run_id": job.run_id, **event.model_dump()} for event in directory.read_events()
        ]
        rows["chunk_losses"] = [
            {"run_id": job.run_id, "chunk": chunk, "loss": loss} for chunk, loss in chunks
        ]
    elif tried:
        row |= _left(tried[-1])
    return rows


def _left(attempt: dict[str, Any]) -> dict[str, Any]:
    """The state that a run was left in by its last attempt, or by a person after it."""
    if attempt.get("state", "queued") in UNSETTLED:
        return {"failures": attempt.get("failures")}
    return {"state": attempt["state"], "cause": attempt.get("cause")}


def _outcome(result: Result) -> dict[str, Any]:
    fields = result.model_dump(exclude={"chunk_losses"})
    return {key: value for key, value in fields.items() if value is not None}


def _read_study(path: Path, found: Rebuilt) -> Rows:
    """What a study's file holds; nothing, and a word on it, where it is damaged."""
    try:
        rows = _ROWS.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        rows = {}
    if any(not rows.get(table.name) for table in OF_STUDIES):
        found.problems.append(f"{path} is damaged: `sweep run` of its study writes it anew")
        return {}
    return rows


def _read_noises(path: Path, found: Rebuilt) -> list[dict[str, Any]]:
    try:
        return _ROWS.validate_json(path.read_bytes())[noises.name]
    except (OSError, ValidationError, KeyError):
        found.problems.append(f"{path} is damaged: `sweep noise` of its study writes it anew")
        return []


def _runs_without_a_folder(rows: Rows, known: set[str]) -> Rows:
    """The rows of runs that only a study's file has, as of those that never began."""
    fresh = {row["id"] for row in rows.get("runs", [])} - known
    return {
        table.name: [row for row in rows.get(table.name, []) if row[key] in fresh]
        for table, key in (
            (runs, "id"),
            *((each, "run_id") for each in (attempts, curves, chunk_losses)),
        )
    }


def _insert_runs(connection: Connection, some: list[Rows], known: set[str], found: Rebuilt) -> None:
    usable = [
        rows
        for rows in some
        if all("repeat_of" not in row or row["repeat_of"] in known for row in rows["runs"])
    ]
    for table in (runs, attempts, curves, chunk_losses):
        insert_rows(connection, table, [row for rows in usable for row in rows.get(table.name, [])])
    for rows in usable:
        known.update(row["id"] for row in rows["runs"])
        found.states.update(row["state"] for row in rows["runs"])


def _insert_study(connection: Connection, rows: Rows, known: set[str], found: Rebuilt) -> None:
    if not rows:
        return
    for table in (studies, plans):
        insert_rows(connection, table, rows[table.name])
    insert_rows(
        connection, arms, [{k: v for k, v in row.items() if k != "id"} for row in rows["arms"]]
    )
    insert_rows(connection, references, rows.get(references.name, []))
    (study,) = rows["studies"]
    query = select(arms.c.name, arms.c.id).where(arms.c.study == study["name"])
    ids = {row.name: row.id for row in connection.execute(query)}
    names = {row["id"]: row["name"] for row in rows["arms"]}
    kept = [row for row in rows["members"] if row["run_id"] in known]
    insert_rows(connection, members, [{**row, "arm_id": ids[names[row["arm_id"]]]} for row in kept])
    found.studies += 1
    lost = len(rows["members"]) - len(kept)
    if lost:
        found.problems.append(
            f"{study['name']}: {lost} of its runs have no folder any more; `sweep run` trains them"
        )


def insert_rows(connection: Connection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    """Insert rows that need not have the same columns; those that the table has not are left out."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        columns = tuple(sorted(key for key in row if key in table.c))
        alike[columns].append({key: row[key] for key in columns})
    for group in alike.values():
        connection.execute(insert(table), group)


def _slices(rows: Iterator[Rows]) -> Iterator[list[Rows]]:
    some: list[Rows] = []
    for each in rows:
        some.append(each)
        if len(some) == AT_ONCE:
            yield some
            some = []
    yield some
