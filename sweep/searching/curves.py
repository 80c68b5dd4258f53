"""The training curves of trials, at the steps that all runs of a trial have."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain
from statistics import fmean
from typing import Any

from sqlalchemy import select

from sweep.searching.trials import Outcome, Trial
from sweep.store.schema import curves, metric_points
from sweep.store.select_in import select_in
from sweep.store.store import Store
from trainer.errors import RunDirectoryError
from trainer.rundir.directory import Event


def search_curves(
    store: Store, trials: Sequence[Trial], metric: str
) -> dict[str, dict[int, float]]:
    """Return the mean curve of each finished trial by step, by the trial's name.

    It is the training loss or, for a script, the metric at that step.
    """
    ended = [each for each in trials if each.outcome in {Outcome.COMPLETE, Outcome.PRUNED}]
    found = run_curves(store, [run.run_id for each in ended for run in each.runs], metric)
    return {each.name: mean_curve([found[run.run_id] for run in each.runs]) for each in ended}


def run_curves(store: Store, ids: Sequence[str], metric: str) -> dict[str, dict[int, float]]:
    """Return the curve of each run by step, also of runs that have not ended; empty if unknown."""
    stored = _stored(store, ids, metric)
    return {each: stored.get(each) or _of_directory(store, each, metric) for each in ids}


def mean_curve(of_runs: Sequence[Mapping[int, float]]) -> dict[int, float]:
    """Return the mean of some curves, at the steps that all of them have."""
    if not of_runs:
        return {}
    steps = set[int].intersection(*map(set, of_runs))
    return {step: fmean(curve[step] for curve in of_runs) for step in sorted(steps)}


def point_of(event: Event, metric: str) -> float | None:
    """The value of a curve at an event: a script's metric, else the training loss."""
    return event.metrics.get(metric, event.loss)


def _stored(store: Store, ids: Sequence[str], metric: str) -> dict[str, dict[int, float]]:
    of_loss = select(curves.c.run_id, curves.c.step, curves.c.loss)
    points = metric_points.c
    of_metric = select(points.run_id, points.step, points.value).where(points.name == metric)
    found: dict[str, dict[int, float]] = defaultdict(dict)
    with store.begin() as connection:
        rows = chain(
            select_in(connection, of_loss, curves.c.run_id, ids),
            select_in(connection, of_metric, points.run_id, ids),
        )
        for row in rows:
            point: list[Any] = [*row.values()]
            run_id, step, value = point
            if value is not None and math.isfinite(value):
                found[run_id][step] = value
    return found


def _of_directory(store: Store, run_id: str, metric: str) -> dict[int, float]:
    """Return the curve of a run without a result, which only its directory has."""
    if store.ledger is None:
        return {}
    try:
        events = store.ledger.run(run_id).read_events()
    except (OSError, RunDirectoryError):
        return {}
    points = {event.step: point_of(event, metric) for event in events}
    return {step: value for step, value in points.items() if value is not None}
