"""Answers of our process as DataFrames. Imports nothing of ours: it is called in the user's process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweep.notebook.columns import CURVES, EFFECTS, LOAD, NOISE, NUMBER, PLAN, TIME, Columns

if TYPE_CHECKING:
    import pandas as pd

RENAMED = {"test_loss": "loss", "state": "status", "id": "run"}
"""Names of columns of the store that are others in a notebook."""


def runs_frame(runs: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A row per arm and seed: the columns `LOAD`, then metrics, fields and imported columns.

    Each metric is a column; one with the name of another column is called `metrics.NAME`, unless
    it is that column. So is each field of the recipe, or parameter, that not all runs share.
    """
    own = {RENAMED.get(name, name) for run in runs for name in run} | LOAD.keys()
    varied = _varied([run.get("fields", {}) for run in runs])
    return _frame([_row(run, own, varied) for run in runs], LOAD)


def curves_frame(points: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A row per run and step: the columns `CURVES`, then each metric that a script reported."""
    return _frame(points, CURVES)


def effects_frame(effects: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A row per arm: the columns `EFFECTS`, then those of each guard."""
    return _frame(effects, EFFECTS)


def noise_frame(streams: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A row per stream: the columns `NOISE`."""
    return _frame(streams, NOISE)


def plan_frame(arms: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A row per arm: the columns `PLAN`."""
    return _frame(arms, PLAN)


def _frame(rows: Sequence[Mapping[str, Any]], columns: Columns) -> pd.DataFrame:
    """The rows with these columns first, and times as timestamps in UTC."""
    import pandas as pd

    further = dict.fromkeys(name for row in rows for name in row if name not in columns)
    frame = pd.DataFrame(rows, columns=[*columns, *further])
    for name, column in columns.items():
        if column.kind == NUMBER and frame[name].dtype == object:
            frame[name] = frame[name].astype(float)
        if column.kind == TIME:
            frame[name] = pd.to_datetime(frame[name].astype(float), unit="s", utc=True)
    return frame


def _varied(fields: Sequence[Mapping[str, Any]]) -> set[str]:
    """Names of fields that not all runs have with the same value."""
    values = Counter((name, repr(value)) for each in fields for name, value in each.items())
    return {name for (name, _), times in values.items() if times < len(fields)}


def _row(run: Mapping[str, Any], own: set[str], varied: set[str]) -> dict[str, Any]:
    """A run with its metrics, fields and imported columns as columns; `own` are the other names."""
    nested = {"metrics", "fields"}
    columns = {RENAMED.get(key, key): value for key, value in run.items() if key not in nested}
    stored = {name: run.get(name) for name in RENAMED}
    metrics = {
        f"metrics.{name}" if name in own else name: value
        for name, value in run.get("metrics", {}).items()
        if stored.get(name, columns.get(name)) != value
    }
    fields = {name: value for name, value in run.get("fields", {}).items() if name in varied}
    imported = {
        f"further.{name}" if name in own else name: value
        for name, value in (run.get("further") or {}).items()
        if name not in metrics
    }
    return {**columns, **metrics, **fields, **imported}
