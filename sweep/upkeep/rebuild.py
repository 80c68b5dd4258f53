"""Rebuild the database from the files in the folder of runs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from pydantic import ValidationError
from sqlalchemy import Connection, Table, insert, select

from sweep.evals.eval_files import stored_evals
from sweep.judging.score_files import stored_metrics
from sweep.queue.queue import run_row
from sweep.queue.recording import curve_rows, result_columns
from sweep.store.ledger import PART_OF_RUN, Ledger, Row, directory_name
from sweep.store.metrics import add_metrics
from sweep.store.schema import (
    arms,
    attempts,
    members,
    metrics,
    noises,
    plans,
    references,
    runs,
    studies,
    trials,
)
from sweep.store.states import FINISHED, OPEN, RunState
from sweep.trainers.registry import TRAINERS
from sweep.upkeep.ledger_files import AttemptLine, FileRow, NoiseFile, RunPartFileRow, StudyFile
from sweep.workload.job import Job
from trainer.errors import RunDirectoryError
from trainer.rundir.directory import Result, RunDirectory

BATCH = 500
"""Number of runs that are inserted at once."""
PARTS = (runs, *(column.table for column in PART_OF_RUN))
"""Tables that a run has rows in; `runs` comes first, because the others refer to it."""
REQUEUED_WITHOUT_RESULT = OPEN | FINISHED
"""If the last attempt left one of these states and there is no result, the run is queued again."""


@dataclass
class Rebuilt:
    """A summary of the rebuilt database."""

    states: Counter[RunState] = field(default_factory=Counter)
    """Number of runs by state."""
    studies: int = 0
    problems: list[str] = field(default_factory=list)
    """A sentence for each file that could not be used."""


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run to be inserted."""

    id: str
    repeat_of: str | None
    """Id of the run that this one repeats exactly, if it does."""
    state: RunState
    rows: Mapping[Table, Sequence[Row]]
    """Its rows in the tables of `PARTS`."""


def fill(connection: Connection, ledger: Ledger) -> Rebuilt:
    """Insert the content of a ledger's files into an empty database."""
    found = Rebuilt()
    known: set[str] = set()
    reruns: list[RunRecord] = []  # inserted after the runs that they refer to
    for batch in _batches(_read_directories(ledger, found)):
        _insert_runs(connection, [run for run in batch if run.repeat_of is None], known, found)
        reruns += [run for run in batch if run.repeat_of is not None]
    files = list(_read_studies(ledger, found))
    for file in files:
        _insert_runs(connection, list(_runs_without_a_folder(file, known)), known, found)
    _insert_runs(connection, reruns, known, found)
    for file in files:
        _insert_study(connection, file, known, found)
    insert_rows(connection, noises, _read_noises(ledger, found))
    add_metrics(connection)
    return found


def _read_directories(ledger: Ledger, found: Rebuilt) -> Iterator[RunRecord]:
    """Read every run that has a folder of its own."""
    for directory in ledger.runs():
        try:
            job = read_job(directory)
        except RunDirectoryError as error:
            found.problems.append(str(error))
            continue
        if job is None:
            found.problems.append(f"{directory.path} was not made by sweep; it is left out")
            continue
        yield _read_run(job, directory, found)


def read_job(directory: RunDirectory) -> Job | None:
    """Return the job that a directory was made for; None if sweep did not make it.

    Raises RunDirectoryError if it is damaged.
    """
    for trainer in TRAINERS.values():
        found = trainer.read_run(directory)
        if found is not None and directory_name(found[0].run_id) == directory.path.name:
            identity, spec = found
            return Job(**vars(identity), spec=spec)
    return None


def _read_run(job: Job, directory: RunDirectory, found: Rebuilt) -> RunRecord:
    lines = list(_attempts(directory, found))
    row = {key: value for key, value in run_row(job).items() if value is not None}
    rows = {runs: [row], attempts: [{"run_id": job.run_id, **line.columns()} for line in lines]}
    try:
        end = job.spec.find_result(directory)
    except (OSError, RunDirectoryError) as error:
        found.problems.append(str(error))
        end = None
    state = RunState.QUEUED
    if end is not None and end.result is not None:
        state = RunState(end.result.state)
        row |= _outcome(end.result, end.primary_value)
        rows |= curve_rows(job.run_id, end.result, end.events)
        scores = [*stored_metrics(directory, job.run_id), *stored_evals(directory, job.run_id)]
        rows[metrics] = [*rows[metrics], *scores]
    elif lines and lines[-1].state in REQUEUED_WITHOUT_RESULT:
        row |= {"failures": lines[-1].failures}
    elif lines:
        state = lines[-1].state
        row |= {"state": state, "cause": lines[-1].cause}
    return RunRecord(id=job.run_id, repeat_of=job.repeat_of, state=state, rows=rows)


def _attempts(directory: RunDirectory, found: Rebuilt) -> Iterator[AttemptLine]:
    for line in directory.read_attempts():
        try:
            yield AttemptLine.model_validate(line)
        except ValidationError:
            found.problems.append(f"{directory.attempts} has a damaged line, which is left out")


def _outcome(result: Result, primary_value: float | None) -> Row:
    fields = result_columns(result, primary_value)
    return {key: value for key, value in fields.items() if value is not None}


def _read_studies(ledger: Ledger, found: Rebuilt) -> Iterator[StudyFile]:
    """Read the files of studies; a damaged one is a problem."""
    for path in ledger.studies():
        try:
            yield StudyFile.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            found.problems.append(f"{path} is damaged: `sweep run` of its study writes it again")


def _read_noises(ledger: Ledger, found: Rebuilt) -> Iterator[Row]:
    """Read the files of noise studies; a damaged one is a problem."""
    for path in ledger.noises():
        try:
            file = NoiseFile.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            found.problems.append(f"{path} is damaged: `sweep noise` of its study writes it again")
        else:
            yield from _columns(file.noises)


def _runs_without_a_folder(file: StudyFile, known: set[str]) -> Iterator[RunRecord]:
    """Return the runs that are only in a study's file: never started, or imported."""
    parts: dict[str, dict[Table, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for table in PARTS[1:]:
        rows: Sequence[RunPartFileRow] = getattr(file, table.name)
        for row in rows:
            parts[row.run_id][table].append(row.columns())
    for run in file.runs:
        if run.id not in known:
            of_run = {runs: [run.columns()], **parts[run.id]}
            yield RunRecord(id=run.id, repeat_of=run.repeat_of, state=run.state, rows=of_run)


def _insert_runs(
    connection: Connection, records: Sequence[RunRecord], known: set[str], found: Rebuilt
) -> None:
    """Insert runs, and add them to `known`; reruns of unknown runs are left out."""
    usable = [run for run in records if run.repeat_of is None or run.repeat_of in known]
    for table in PARTS:
        insert_rows(connection, table, (row for run in usable for row in run.rows.get(table, ())))
    known.update(run.id for run in usable)
    found.states.update(run.state for run in usable)


def _insert_study(connection: Connection, file: StudyFile, known: set[str], found: Rebuilt) -> None:
    """Insert a study without its runs; members with an unknown run are left out."""
    (study,) = file.studies
    insert_rows(connection, studies, [study.columns()])
    insert_rows(connection, plans, _columns(file.plans))
    insert_rows(connection, arms, (arm.model_dump(exclude={"id"}) for arm in file.arms))
    insert_rows(connection, references, _columns(file.reference_models))
    insert_rows(connection, trials, _columns(file.trials))
    query = select(arms.c.name, arms.c.id).where(arms.c.study == study.name)
    new_ids = {row.name: row.id for row in connection.execute(query)}
    arm_ids = {arm.id: new_ids[arm.name] for arm in file.arms}
    kept = [member for member in file.members if member.run_id in known]
    rows = ({**member.columns(), "arm_id": arm_ids[member.arm_id]} for member in kept)
    insert_rows(connection, members, rows)
    found.studies += 1
    lost = len(file.members) - len(kept)
    if lost:
        found.problems.append(
            f"{study.name}: {lost} of its runs have no folder any more; `sweep run` trains them"
        )


def insert_rows(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    """Insert rows, which may have different columns; columns unknown to the table are left out."""
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        columns = tuple(sorted(key for key in row if key in table.c))
        groups[columns].append({key: row[key] for key in columns})
    for group in groups.values():
        connection.execute(insert(table), group)


def _columns(rows: Iterable[FileRow]) -> Iterator[Row]:
    return (row.columns() for row in rows)


def _batches(records: Iterator[RunRecord]) -> Iterator[list[RunRecord]]:
    while batch := list(islice(records, BATCH)):
        yield batch
