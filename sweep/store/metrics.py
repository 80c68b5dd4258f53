"""Metrics of runs: those of the built-in trainer follow from the columns of `runs` and `attempts`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Insert,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
)

from model.config import ModelConfig
from model.size import parameter_count
from sweep.metrics.registry import PARAMETERS, PEAK_MEMORY, PRIMARY
from sweep.store.plan_content import PlanContent
from sweep.store.schema import arms, attempts, members, metric_points, metrics, runs
from sweep.store.select_in import VALUES_PER_STATEMENT
from sweep.store.states import FINISHED
from trainer.recipe import DataConfig, vocabulary_size

if TYPE_CHECKING:
    from sweep.store.database import Database

CHOSEN = "chosen_runs"
"""Parameter of the statements: ids of runs."""
OF_COLUMNS: Mapping[str, ColumnElement[Any]] = {
    "test_loss": runs.c.test_loss,
    "bits_per_byte": runs.c.bits_per_byte,
    "train_seconds": runs.c.tokens / func.nullif(runs.c.tokens_per_second, 0.0),
    "tokens_per_second": runs.c.tokens_per_second,
}
"""By metric of the built-in trainer: its value, from the columns of `runs`."""
IS_BUILT_IN = runs.c.corpus_hash != ""
"""True for runs of the built-in trainer: imports and scripts have no corpus."""


def add_metrics(connection: Connection, run_ids: Sequence[str] | None = None) -> None:
    """Store the metrics that follow from other columns; those that are stored already stay.

    Without `run_ids`, those of every run that has ended with a result.
    """
    for chosen in _batches(run_ids):
        statements = _statements(every_run=run_ids is None)
        connection.execute(statements.peaks, chosen)
        if connection.execute(statements.first_built_in, chosen).first() is None:
            continue
        for statement in statements.of_columns:
            connection.execute(statement, chosen)
        _add_parameters(connection, statements.ended, chosen)


def _batches(run_ids: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """Yield parameters of the statements that choose some of the runs each."""
    if run_ids is None:
        yield {}
        return
    for first in range(0, len(run_ids), VALUES_PER_STATEMENT):
        yield {CHOSEN: run_ids[first : first + VALUES_PER_STATEMENT]}


class _Statements(NamedTuple):
    """What `add_metrics` executes at the end of every run, made once: making it takes longer."""

    ended: ColumnElement[bool]
    """True for the chosen runs that have a result."""
    peaks: Insert
    first_built_in: Select[Any]
    of_columns: Sequence[Insert]


@cache
def _statements(*, every_run: bool) -> _Statements:
    ended: ColumnElement[bool] = runs.c.state.in_(FINISHED)
    if not every_run:
        ended = and_(ended, runs.c.id.in_(bindparam(CHOSEN, expanding=True)))
    peak = func.max(attempts.c.peak_bytes)
    peaks = select(runs.c.id, peak).join(attempts, attempts.c.run_id == runs.c.id)
    return _Statements(
        ended,
        _adding(PEAK_MEMORY.name, peaks.where(ended).group_by(runs.c.id)),
        select(runs.c.id).where(ended, IS_BUILT_IN).limit(1),
        [
            _adding(name, select(runs.c.id, value).where(ended, IS_BUILT_IN))
            for name, value in OF_COLUMNS.items()
        ],
    )


def _adding(name: str, values: Select[Any]) -> Insert:
    """Store one metric of the runs that do not have it; `values` selects run ids and values."""
    found: FromClause = values.subquery()
    run_id, number = found.columns
    known = exists().where(metrics.c.run_id == run_id, metrics.c.name == name)
    rows = select(run_id, literal(name), number).where(number.is_not(None), ~known)
    return insert(metrics).from_select(["run_id", "name", "value"], rows)


def _add_parameters(
    connection: Connection, ended: ColumnElement[bool], some: Mapping[str, Any]
) -> None:
    """Store the number of parameters: the same for all runs of a family."""
    chosen = and_(ended, IS_BUILT_IN)
    known = exists().where(metrics.c.run_id == runs.c.id, metrics.c.name == PARAMETERS.name)
    families = select(runs.c.family, func.min(runs.c.id)).where(chosen, ~known)
    for family, run_id in connection.execute(families.group_by(runs.c.family), some).all():
        recipe = connection.execute(select(runs.c.recipe).where(runs.c.id == run_id)).scalar_one()
        number = _parameters(recipe)
        if number is not None:
            rows = select(runs.c.id, literal(float(number)))
            of_family = rows.where(chosen, runs.c.family == family)
            connection.execute(_adding(PARAMETERS.name, of_family), some)


def _parameters(recipe: Mapping[str, Any]) -> int | None:
    """The parameters of a stored recipe's model; None if this version cannot read the recipe."""
    try:
        model = ModelConfig.model_validate(recipe.get("model", {}))
        data = DataConfig.model_validate(recipe.get("data", {}))
        return parameter_count(model, vocabulary_size(data.tokenizer))
    except (ValidationError, ValueError):
        return None


def metric_value(plan: PlanContent, name: str) -> ColumnElement[Any]:
    """The value of a metric that runs of a study have, for queries on `runs`; NULL if none."""
    of_trainer = plan.metric is None and name == PRIMARY.name
    of_import = plan.imported and name == plan.metric
    if of_trainer or of_import:
        return runs.c.test_loss
    of_run = (metrics.c.run_id == runs.c.id) & (metrics.c.name == name)
    return select(metrics.c.value).where(of_run).scalar_subquery()


def study_metrics(store: Database, study: str) -> dict[str, dict[str, float]]:
    """Return all metrics of a study's runs, by run and name."""
    found: dict[str, dict[str, float]] = {}
    with store.begin() as connection:
        for row in connection.execute(select(metrics).where(_of_study(study))):
            found.setdefault(row.run_id, {})[row.name] = row.value
    return found


def metric_values(store: Database, study: str, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return some metrics of a study's runs, by name and run; without those that no run has."""
    found: dict[str, dict[str, float]] = {}
    query = select(metrics).where(metrics.c.name.in_(names), _of_study(study))
    with store.begin() as connection:
        for row in connection.execute(query):
            found.setdefault(row.name, {})[row.run_id] = row.value
    return found


def _of_study(study: str) -> ColumnElement[bool]:
    """True for metrics of a study's runs."""
    return metrics.c.run_id.in_(select(members.c.run_id).join(arms).where(arms.c.study == study))


def metric_names(store: Database, study: str, prefix: str) -> list[str]:
    """Return the names of a study's metrics that begin so."""
    begins = metrics.c.name.startswith(prefix, autoescape=True)
    query = select(metrics.c.name).distinct().where(begins, _of_study(study))
    with store.begin() as connection:
        return sorted(connection.execute(query).scalars())


def run_metrics(store: Database, run_id: str) -> dict[str, float]:
    """Return all metrics of a run by name."""
    query = select(metrics).where(metrics.c.run_id == run_id).order_by(metrics.c.name)
    with store.begin() as connection:
        return {row.name: row.value for row in connection.execute(query)}


def replace_metric(
    store: Database, name: str, of: Sequence[str], found: Mapping[str, float]
) -> None:
    """Store a metric that was measured after training: `found` by run, and none for others `of`."""
    with store.write() as connection:
        for first in range(0, len(of), VALUES_PER_STATEMENT):
            some = of[first : first + VALUES_PER_STATEMENT]
            connection.execute(
                delete(metrics).where(metrics.c.name == name, metrics.c.run_id.in_(some))
            )
        rows = [{"run_id": run_id, "name": name, "value": value} for run_id, value in found.items()]
        if rows:
            connection.execute(insert(metrics), rows)


def count_points(store: Database, run_id: str) -> int:
    """How many points the curves of a run's metrics have."""
    query = select(func.count()).where(metric_points.c.run_id == run_id)
    with store.begin() as connection:
        return connection.execute(query).scalar_one()
