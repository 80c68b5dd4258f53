"""The training curves of trials, at the steps that all runs of a trial have."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from sqlalchemy import select

from sweep.searching.trials import Outcome, Trial
from sweep.store.schema import curves
from sweep.store.select_in import select_in
from sweep.store.store import Store
from trainer.errors import RunDirectoryError


def search_curves(store: Store, trials: Sequence[Trial]) -> dict[str, dict[int, float]]:
    """Return the mean training loss of each finished trial by step, by the trial's name."""
    stored = _stored(store, [run.run_id for each in trials for run in each.runs])
    return {
        each.name: mean_curve(
            [stored.get(run.run_id) or _of_directory(store, run.run_id) for run in each.runs]
        )
        for each in trials
        if each.outcome in {Outcome.COMPLETE, Outcome.PRUNED}
    }


def mean_curve(of_runs: Sequence[Mapping[int, float]]) -> dict[int, float]:
    """Return the mean of some curves, at the steps that all of them have."""
    if not of_runs:
        return {}
    steps = set[int].intersection(*map(set, of_runs))
    return {step: fmean(curve[step] for curve in of_runs) for step in sorted(steps)}


def _stored(store: Store, ids: Sequence[str]) -> dict[str, dict[int, float]]:
    query = select(curves.c.run_id, curves.c.step, curves.c.loss)
    found: dict[str, dict[int, float]] = defaultdict(dict)
    with store.begin() as connection:
        for row in select_in(connection, query, curves.c.run_id, ids):
            point: list[Any] = [*row.values()]
            run_id, step, loss = point
            if loss is not None and math.isfinite(loss):
                found[run_id][step] = loss
    return found


def _of_directory(store: Store, run_id: str) -> dict[int, float]:
    """Return the curve of a run without a result, which only its directory has."""
    if store.ledger is None:
        return {}
    try:
        events = store.ledger.run(run_id).read_events()
    except (OSError, RunDirectoryError):
        return {}
    return {each.step: each.loss for each in events if each.loss is not None}
