"""The training curves of a study, averaged over its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from sweep.metrics.metric import Metric
from sweep.metrics.registry import PRIMARY
from sweep.searching.curves import run_curves
from sweep.store.plan_content import PlanContent
from sweep.store.schema import arms, members, planned_runs, runs
from sweep.store.states import RunState
from sweep.store.store import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TRAINING_LOSS = "training loss, nats per token"
MAX_RUNS = 2_000
"""Curves of larger studies are not read: it would take too long."""
MAX_POINTS = 60
"""Points of a drawn curve; each is a mean over neighbouring steps if there are more."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A curve over the seeds of an arm, in the unit of the metric."""

    steps: Sequence[float]
    mean: Sequence[float]
    low: Sequence[float]
    """The smallest value of any seed."""
    high: Sequence[float]
    seeds: int
    """Seeds that it is made of."""
    merged: int
    """Logged steps in each point."""


@dataclass(frozen=True, kw_only=True)
class StudyCurves:
    """The curves of the runs of a study that are done."""

    by_arm: Mapping[str, Mapping[int, Mapping[int, float]]]
    """By arm and seed: the value at each logged step."""
    title: str
    """What the curves show, with its unit."""
    metric: Metric
    """The metric that the curves are compared with, in the same unit: the test loss, or a script's."""

    def mean_curve(self, arm: str) -> Curve | None:
        """The curve of an arm over all its seeds; None without one."""
        return _summary(list(self.by_arm.get(arm, {}).values()))

    def difference(self, arm: str, baseline: str) -> Curve | None:
        """The curve of the arm minus that of the baseline with the same seed; None without pairs."""
        mine, others = self.by_arm.get(arm, {}), self.by_arm.get(baseline, {})
        pairs = [(mine[seed], others[seed]) for seed in mine if seed in others]
        return _summary(
            [
                {step: value - other[step] for step, value in one.items() if step in other}
                for one, other in pairs
            ]
        )


def read_curves(store: Store, study: str, plan: PlanContent) -> StudyCurves:
    """Read the curves of the runs that are done.

    Those of diverged runs are shorter: a mean with them would end where the first one diverged.
    """
    by_script = plan.metric is not None
    metric = plan.primary if by_script else PRIMARY
    title = metric.words if by_script else TRAINING_LOSS
    query = (
        select(arms.c.name, members.c.seed, runs.c.id)
        .select_from(planned_runs)
        .where(arms.c.study == study, runs.c.state == RunState.DONE)
        .order_by(arms.c.position, members.c.seed)
    )
    with store.begin() as connection:
        rows = connection.execute(query).all()
    if len(rows) > MAX_RUNS:
        return StudyCurves(by_arm={}, title=title, metric=metric)
    found = run_curves(store, [row[2] for row in rows], metric.name)
    by_arm: dict[str, dict[int, Mapping[int, float]]] = {}
    for arm, seed, run_id in rows:
        if found[run_id]:
            by_arm.setdefault(arm, {})[seed] = found[run_id]
    return StudyCurves(by_arm=by_arm, title=title, metric=metric)


def _summary(curves: Sequence[Mapping[int, float]]) -> Curve | None:
    """Mean and range at the steps that all curves have."""
    import numpy as np

    longest = [each for each in curves if each]
    if not longest:
        return None
    steps = np.array(sorted(set[int].intersection(*map(set, longest))), float)
    if steps.size < 2:
        return None
    values = np.array([[each[int(step)] for step in steps] for each in longest])
    groups = -(-steps.size // MAX_POINTS)
    steps, values = _merged(steps[None, :], groups)[0], _merged(values, groups)
    return Curve(
        steps=steps.tolist(),
        mean=values.mean(axis=0).tolist(),
        low=values.min(axis=0).tolist(),
        high=values.max(axis=0).tolist(),
        seeds=len(longest),
        merged=groups,
    )


def _merged(values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Means of `size` neighbouring columns each; the last ones that fill no group are one, too."""
    import numpy as np

    starts = np.arange(0, values.shape[1], size)
    counts = np.diff(np.append(starts, values.shape[1]))
    return np.asarray(np.add.reduceat(values, starts, axis=1) / counts, float)
