"""Metrics of an import beside the primary one: more columns of the file, or of another file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, insert, select

from sweep.errors import ResultsError
from sweep.importing.cells import read_numbers
from sweep.importing.fields import Field
from sweep.importing.known_runs import run_ids
from sweep.importing.metric_words import MetricWord
from sweep.importing.questions import no_column
from sweep.importing.rules import Reading
from sweep.importing.run_table import RunTable
from sweep.metrics.metric import Metric
from sweep.store.schema import arms, members, metrics
from sweep.store.select_in import VALUES_PER_STATEMENT, select_in
from sweep.terminal.printable import shown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class FurtherMetric:
    """A metric and its values."""

    metric: Metric
    column: pd.Series[Any]
    """One value for each run of the table; NaN for a run without one."""


def read_metrics(
    words: Sequence[MetricWord], frame: pd.DataFrame, table: RunTable, reading: Reading
) -> list[FurtherMetric]:
    """Read the columns of metrics, at the rows that the runs were taken from.

    Asks about a column that the file does not have, a cell that is no number, and a direction that
    nothing tells.
    """
    found = []
    present = [str(name) for name in frame.columns]
    for word in words:
        if word.column not in present:
            reading.questions.ask(no_column(word.column, present, reading.source, "--metric"))
            continue
        metric = as_metric(word, reading)
        cells = frame[word.column].reset_index(drop=True).iloc[table.row.to_numpy() - 1]
        values = read_numbers(cells, Field.LOSS, reading).reset_index(drop=True)
        if metric:
            found.append(FurtherMetric(metric=metric, column=values))
    return found


def as_metric(word: MetricWord, reading: Reading) -> Metric | None:
    """The metric of a word; None, after asking, if nothing tells its direction."""
    if word.told is None:
        name = shown(word.name)
        reading.questions.ask(
            f"nothing tells whether a higher {name} is better; write --metric "
            f"{word.name}:maximize or --metric {word.name}:minimize"
        )
        return None
    return Metric(name=word.name, title=word.name, unit="", direction=word.told)


def save_metrics(
    connection: Connection,
    study: str,
    table: RunTable,
    further: Sequence[FurtherMetric],
    *,
    replace: bool,
) -> int:
    """Store metrics of runs that the study has; returns how many values are new.

    Raises ResultsError for a value that differs from the stored one, unless it is to be replaced.
    """
    ids = [each.decode() for each in run_ids(study, table)]
    return sum(_save(connection, ids, table, each, replace=replace) for each in further)


def _save(
    connection: Connection, ids: list[str], table: RunTable, new: FurtherMetric, *, replace: bool
) -> int:
    name = new.metric.name
    wanted = {
        run_id: value
        for run_id, value in zip(ids, new.column.tolist(), strict=True)
        if abs(value) < float("inf")  # not for NaN either
    }
    query = select(metrics).where(metrics.c.name == name)
    rows = select_in(connection, query, metrics.c.run_id, list(wanted))
    known = {row[metrics.c.run_id]: row[metrics.c.value] for row in rows}
    changed = [run_id for run_id, value in known.items() if value != wanted[run_id]]
    if changed and not replace:
        first = changed[0]
        raise ResultsError(
            f"{table.describe(ids.index(first))}: {shown(name)} is {known[first]:g} in the study and "
            f"{wanted[first]:g} in the file; add --replace to take the file's values"
        )
    for start in range(0, len(changed), VALUES_PER_STATEMENT):
        some = metrics.c.run_id.in_(changed[start : start + VALUES_PER_STATEMENT])
        connection.execute(delete(metrics).where(metrics.c.name == name, some))
    fresh = [run_id for run_id, value in wanted.items() if known.get(run_id) != value]
    if fresh:
        values = [{"run_id": each, "name": name, "value": wanted[each]} for each in fresh]
        connection.execute(insert(metrics), values)
    return len(fresh)


def check_runs(connection: Connection, study: str, table: RunTable, source: str) -> None:
    """Raise ResultsError if a file has a run that the study does not have."""
    query = select(members.c.run_id).join(arms).where(arms.c.study == study)
    known = set(connection.scalars(query))
    for place, run_id in enumerate(run_ids(study, table)):
        if run_id.decode() not in known:
            raise ResultsError(
                f"{source}: row {table.row[place]}, {table.describe(place)}, is no run of "
                f"{study!r}; a file of a further metric has the same runs, without seeds in the "
                "same order"
            )
