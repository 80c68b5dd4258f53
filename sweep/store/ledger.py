"""What the database knows, kept as files too, so that it can be made anew from them.

RUNS/0123456789abcdef/     a run: its recipe, attempts and result (see `trainer.rundir.directory`)
RUNS/studies/NAME.json     a study: the rows of its plans, arms, members and
references, and those of its runs that have no folder yet
RUNS/noises/NAME.json      what `sweep noise` found for it
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, func, select

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
from sweep.store.select_in import select_in
from trainer.files import write_whole
from trainer.rundir.directory import RunDirectory

Rows = dict[str, list[dict[str, Any]]]
"""By table: the columns that are not empty, by name."""
STUDIES = "studies"
NOISES = "noises"
OF_STUDIES = (studies, plans, arms, members)
"""Tables whose rows are a study's alone, in the order in which they can be inserted."""
ASKED = {column.name for column in runs.c if not column.nullable} | {"repeat_of"}
"""Columns of a run that is queued."""


class Ledger:
    """The files below the folder of runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, run_id: str) -> RunDirectory:
        """The directory of a run, which need not be there."""
        return RunDirectory(self.folder / directory_name(run_id))

    def runs(self) -> Iterator[RunDirectory]:
        """Every directory that holds a recipe."""
        for path in sorted(self.folder.glob("*/recipe.json")):
            yield RunDirectory(path.parent)

    def studies(self) -> list[Path]:
        """The files of studies."""
        return sorted((self.folder / STUDIES).glob("*.json"))

    def noises(self) -> list[Path]:
        """The files of noise studies."""
        return sorted((self.folder / NOISES).glob("*.json"))

    def save_noise(self, connection: Connection, name: str) -> None:
        """Write down the noise that the database has of a study. Raises OSError."""
        self._write(NOISES, name, _select(connection, noises, noises.c.study, [name]))

    def save_study(self, connection: Connection, name: str) -> None:
        """Write down what the database knows of a study. Raises OSError."""
        rows = _select(connection, studies, studies.c.name, [name])
        for table in (plans, arms, references):
            rows |= _select(connection, table, table.c.study, [name])
        rows |= _select(connection, members, members.c.arm_id, [row["id"] for row in rows["arms"]])
        asked = list(dict.fromkeys(row["run_id"] for row in rows["members"]))
        rows |= _select(connection, runs, runs.c.id, asked)
        elsewhere = {run_id for run_id in asked if self.run(run_id).recipe.exists()}
        for row in rows["runs"]:
            if row["id"] in elsewhere:
                row["state"] = "queued"
                for column in row.keys() - ASKED:
                    del row[column]
        done = [row["id"] for row in rows["runs"] if row["state"] != "queued"]
        for table in (attempts, curves, chunk_losses):
            rows |= _select(connection, table, table.c.run_id, done)
        self._write(STUDIES, name, rows)

    def _write(self, kind: str, name: str, rows: Rows) -> None:
        path = self.folder / kind / study_file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(rows, sort_keys=True, separators=(",", ":")).encode())

    def note_attempts(self, connection: Connection, ids: Sequence[str]) -> None:
        """Add the latest attempt at each run, and its state after it, to the run's directory."""
        each = attempts.alias()
        latest = select(func.max(each.c.number)).where(each.c.run_id == attempts.c.run_id)
        query = (
            select(attempts, runs.c.state, runs.c.cause, runs.c.failures)
            .join(runs, runs.c.id == attempts.c.run_id)
            .where(attempts.c.number == latest.scalar_subquery())
        )
        for row in select_in(connection, query, attempts.c.run_id, ids):
            fields = {key: value for key, value in row.items() if value is not None}
            # As with a curve: on a full disk a line of history is not worth a run.
            with contextlib.suppress(OSError):
                self.run(fields["run_id"]).note_attempt(fields)


def directory_name(run_id: str) -> str:
    """The folder of a run below the folder of runs."""
    return run_id[:16] + ("-again" if run_id.endswith("-again") else "")


def study_file(name: str) -> str:
    """A file name for a study's name, which may be long, and of any alphabet."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", name)[:64]
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}.json"


def _select(connection: Connection, table: Table, column: Any, values: Sequence[Any]) -> Rows:  # noqa: ANN401  (a column of any type)
    rows = select_in(connection, select(table), column, values)
    return {table.name: [{k: v for k, v in row.items() if v is not None} for row in rows]}
