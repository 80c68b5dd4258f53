"""Files with the content of the database, from which `sweep rebuild` makes it again.

RUNS/0123456789abcdef/     a run: its recipe, attempts and result (see `trainer.rundir.directory`)
RUNS/studies/NAME.json     a study: its plans, arms, members, trials and references, and its runs;
                           those with a folder of their own as they were before their first attempt
RUNS/noises/NAME.json      the results of `sweep noise` for a study

`sweep.upkeep.ledger_files` reads the last two.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, RowMapping, Select, Table, func, select

from sweep.store.schema import (
    arms,
    attempts,
    chunk_losses,
    curves,
    members,
    metric_points,
    metrics,
    noises,
    plans,
    references,
    runs,
    studies,
    trials,
)
from sweep.store.select_in import select_in
from sweep.store.states import RunState
from trainer.files import write_whole
from trainer.rundir.directory import REQUESTS, RunDirectory

Row = dict[str, Any]
"""The columns of a row that are not empty, by name."""
STUDIES = "studies"
NOISES = "noises"
QUEUED_COLUMNS = {column.name for column in runs.c if not column.nullable} | {runs.c.repeat_of.name}
"""Columns of `runs` that a queued run has."""
OF_STUDY = (studies.c.name, plans.c.study, arms.c.study, references.c.study, trials.c.study)
"""Columns with the name of the study."""

PART_OF_RUN = tuple(
    table.c.run_id for table in (attempts, curves, chunk_losses, metrics, metric_points)
)
"""Columns with the id of the run that a row belongs to."""


class Ledger:
    """The files below the folder of runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, run_id: str) -> RunDirectory:
        """Return the directory of a run, which need not exist."""
        return RunDirectory(self.folder / directory_name(run_id))

    def runs(self) -> Iterator[RunDirectory]:
        """Yield every directory that says what to train."""
        found = [path for name in REQUESTS for path in self.folder.glob(f"*/{name}")]
        for path in sorted({path.parent for path in found}):
            yield RunDirectory(path)

    def studies(self) -> list[Path]:
        """Return the files of studies."""
        return sorted((self.folder / STUDIES).glob("*.json"))

    def noises(self) -> list[Path]:
        """Return the files of noise studies."""
        return sorted((self.folder / NOISES).glob("*.json"))

    def save_noise(self, connection: Connection, name: str) -> None:
        """Write the results of a noise study to its file. Raises OSError."""
        rows = _select(connection, noises.c.study, [name])
        self._write(NOISES, name, {noises: [_filled(row) for row in rows]})

    def save_study(self, connection: Connection, name: str) -> None:
        """Write a study to its file. Raises OSError."""
        rows = {column.table: _select(connection, column, [name]) for column in OF_STUDY}
        arm_ids = [row[arms.c.id] for row in rows[arms]]
        rows[members] = _select(connection, members.c.arm_id, arm_ids)
        run_ids = list(dict.fromkeys(row[members.c.run_id] for row in rows[members]))
        written = {table: [_filled(row) for row in some] for table, some in rows.items()}
        written |= self._runs(connection, run_ids)
        self._write(STUDIES, name, written)

    def _runs(self, connection: Connection, run_ids: Sequence[str]) -> dict[Table, list[Row]]:
        """Return the rows of runs; for a run with a folder of its own, those of a queued one."""
        rows = _select(connection, runs.c.id, run_ids)
        with_folder = {run_id for run_id in run_ids if self.run(run_id).is_prepared}
        written = {
            runs: [_queued(row) if row[runs.c.id] in with_folder else _filled(row) for row in rows]
        }
        complete = [
            row[runs.c.id]
            for row in rows
            if row[runs.c.id] not in with_folder and row[runs.c.state] != RunState.QUEUED
        ]
        for column in PART_OF_RUN:
            some = _select(connection, column, complete)
            written[column.table] = [_filled(row) for row in some]
        return written

    def _write(self, kind: str, name: str, rows: Mapping[Table, Sequence[Row]]) -> None:
        path = self.folder / kind / study_file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {table.name: list(some) for table, some in rows.items()}
        write_whole(path, json.dumps(content, sort_keys=True, separators=(",", ":")).encode())

    def note_attempts(self, connection: Connection, ids: Sequence[str]) -> None:
        """Add a line on the latest attempt at each run, and its state after it, to its directory."""
        for row in select_in(connection, _latest_attempts(), attempts.c.run_id, ids):
            # On a full disk the run goes on without a line of its history, as without a curve.
            with contextlib.suppress(OSError):
                self.run(row[attempts.c.run_id]).note_attempt(_filled(row))


@cache
def _latest_attempts() -> Select[Any]:
    """Select the latest attempt at each run, and the state of the run; made once."""
    each = attempts.alias()
    latest = select(func.max(each.c.number)).where(each.c.run_id == attempts.c.run_id)
    return (
        select(attempts, runs.c.state, runs.c.cause, runs.c.failures)
        .join(runs, runs.c.id == attempts.c.run_id)
        .where(attempts.c.number == latest.scalar_subquery())
    )


def directory_name(run_id: str) -> str:
    """Return the name of a run's folder below the folder of runs."""
    return run_id[:16] + ("-again" if run_id.endswith("-again") else "")


def study_file(name: str) -> str:
    """Return a plain file name for a study's name, which may be long and in any alphabet."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", name)[:64]
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}.json"


def _select(connection: Connection, column: Column[Any], values: Sequence[Any]) -> list[RowMapping]:
    """Return the rows of the column's table that have one of these values there."""
    return list(select_in(connection, select(column.table), column, values))


def _filled(row: RowMapping) -> Row:
    return {key: value for key, value in row.items() if value is not None}


def _queued(row: RowMapping) -> Row:
    """Return a row of `runs` as it was before the first attempt."""
    asked = {key: value for key, value in _filled(row).items() if key in QUEUED_COLUMNS}
    return {**asked, runs.c.state.name: RunState.QUEUED}
