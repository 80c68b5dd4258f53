"""Training curves of runs, means of them, and differences between them at the same steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from sqlalchemy import select

from sweep.progress.event_file import value_of
from sweep.store.ledger import directory_name
from sweep.store.schema import metric_points
from sweep.store.store import Store
from trainer.rundir.directory import RunDirectory


@dataclass(frozen=True, kw_only=True)
class Point:
    """A point of a curve: means over the steps since the previous one, and over runs if averaged."""

    value: float | None
    """Training loss in nats per token, or the metric of a script; None if it is not finite."""
    learning_rate: float | None = None
    grad_norm: float | None = None
    """Norm of the gradient before clipping."""
    clipped: float | None = None
    """Share of the steps that were clipped."""
    skipped: float = 0.0
    """Steps that changed nothing, because the gradient was not finite."""


@dataclass(frozen=True)
class Curve:
    """A curve: points by step."""

    metric: str
    """`training loss`, or the name of a script's metric."""
    points: Mapping[int, Point]

    @property
    def values(self) -> list[float | None]:
        """The values in the order of the steps."""
        return [point.value for point in self.points.values()]


NO_CURVE = Curve("training loss", {})


def read_curve(store: Store, run_id: str, folder: Path, metric: str | None = None) -> Curve:
    """The curve of a run: as it is stored, or while it runs as its directory has it.

    `metric`: that of a script whose points are wanted; the first one if left out.
    """
    points = {
        row.step: Point(
            value=row.loss,
            learning_rate=row.learning_rate,
            grad_norm=row.grad_norm,
            clipped=row.clipped,
            skipped=row.skipped or 0,
        )
        for row in store.curve(run_id)
    }
    if points:
        return Curve("training loss", points)
    return _metric_curve(store, run_id, metric) or _events_curve(run_id, folder)


def _metric_curve(store: Store, run_id: str, metric: str | None) -> Curve | None:
    columns = metric_points.c
    query = select(columns.name, columns.step, columns.value).where(columns.run_id == run_id)
    with store.begin() as connection:
        rows = connection.execute(query.order_by(columns.step)).all()
    names = [row.name for row in rows]
    name = metric if metric in names else next(iter(names), None)
    if name is None:
        return None
    return Curve(name, {row.step: Point(value=row.value) for row in rows if row.name == name})


def _events_curve(run_id: str, folder: Path) -> Curve:
    events = RunDirectory(folder / directory_name(run_id)).read_events()
    if not events:
        return NO_CURVE
    name = value_of(events[-1])[0]
    points = {
        event.step: Point(
            value=value_of(event)[1],
            learning_rate=event.learning_rate,
            grad_norm=event.grad_norm,
            clipped=event.clipped,
            skipped=event.skipped,
        )
        for event in events
    }
    return Curve("training loss" if name == "loss" else name, points)


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """The mean of curves at the steps that all of them have."""
    if not curves:
        return NO_CURVE
    first, *others = curves
    shared = [step for step in first.points if all(step in each.points for each in others)]
    points = {step: _mean_point([each.points[step] for each in curves]) for step in shared}
    return Curve(first.metric, points)


def _mean_point(points: Sequence[Point]) -> Point:
    return Point(
        value=_mean([point.value for point in points]),
        learning_rate=_mean([point.learning_rate for point in points]),
        grad_norm=_mean([point.grad_norm for point in points]),
        clipped=_mean([point.clipped for point in points]),
        skipped=fmean(point.skipped for point in points),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean; None if a value is missing: a curve that is not finite has no mean."""
    there = [value for value in values if value is not None]
    return fmean(there) if len(there) == len(values) else None


def differences(first: Curve, second: Curve) -> dict[int, float]:
    """The second curve minus the first at the steps that both have, where both are finite."""
    if first.metric != second.metric:
        return {}
    found = {}
    for step, point in first.points.items():
        other = second.points.get(step)
        if other and point.value is not None and other.value is not None:
            found[step] = other.value - point.value
    return found
