"""What each arm of a study costs: time, memory, parameters and operations, beside the baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

from sqlalchemy import Text, cast, select

from sweep.metrics.registry import METRICS, PARAMETERS, PEAK_MEMORY
from sweep.store.metrics import metric_values
from sweep.store.rows import StudyRow
from sweep.store.schema import arms, members, planned_runs, runs
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.trainers.stored_recipes import stored_cost
from sweep.verdicts.provenance import Provenance, parse_provenance

SPEED = METRICS["tokens_per_second"].name
MEASURED = (SPEED, PEAK_MEMORY.name, PARAMETERS.name)
"""The metrics that are costs."""
ANY_SEEDS = {"init": 0, "order": 0, "dropout": 0}
"""A recipe of a plan has none, and costs the same with any."""


class Machine(NamedTuple):
    """What has to be the same for two times to be compared."""

    device_type: str | None
    device: str | None
    threads: int | None
    processes: int | None
    gpu_share: float | None
    mps: bool


@dataclass(frozen=True, kw_only=True)
class ArmCost:
    """What the runs of an arm cost that are done. None if a figure is unknown."""

    arm: str
    time_ratio: float | None = None
    """Time per training token over that of the baseline's run with the same seed, the median over
    seeds; None for the baseline."""
    time_ratio_low: float | None = None
    """The smallest ratio of a seed."""
    time_ratio_high: float | None = None
    """The largest ratio of a seed."""
    seeds: int = 0
    """Seeds whose times were compared."""
    seeds_elsewhere: int = 0
    """Seeds whose times were not: the two runs had other hardware, or numbers of threads or
    processes, or that is unknown."""
    tokens_per_second: float | None = None
    """Training speed, the median over runs."""
    peak_memory_bytes: float | None = None
    """The largest memory of a run's processes, the median over runs."""
    parameters: float | None = None
    """Parameters of the model that is kept."""
    flops_per_token: float | None = None
    """Floating-point operations of training, as `sweep plan` counts them."""

    @property
    def was_measured(self) -> bool:
        """True if its runs recorded any figure."""
        return any(getattr(self, name) is not None for name in MEASURED)


@dataclass(frozen=True, kw_only=True)
class StudyCosts:
    """What the arms of a study cost."""

    arms: Sequence[ArmCost]
    """The baseline first."""
    at_once: int
    """The most runs of the study that were trained at the same time; 0 if that is unknown."""

    @property
    def were_measured(self) -> bool:
        """True if any run recorded a figure."""
        return any(arm.was_measured for arm in self.arms)

    def arm(self, name: str) -> ArmCost:
        """The costs of an arm. Raises KeyError."""
        return {arm.arm: arm for arm in self.arms}[name]


class _Run(NamedTuple):
    """A run that is done."""

    seed: int
    figures: Mapping[str, float]
    """By metric of `MEASURED`."""
    machine: Machine | None
    """Where it was trained; None if that is unknown, or changed between attempts."""


def find_costs(store: Store, study: StudyRow) -> StudyCosts:
    """What the arms of a study cost, by its runs that are done."""
    plan, rows = store.plan(study), _rows(store, study.name)
    by_arm = _by_arm(rows, metric_values(store, study.name, MEASURED))
    baseline = {run.seed: run for run in by_arm.get(plan.baseline, [])}
    found = []
    for arm in store.arms(study.name):
        own = by_arm.get(arm.name, [])
        figures: dict[str, Any] = {
            name: _median(run.figures.get(name) for run in own) for name in MEASURED
        }
        figures |= {} if arm.name == plan.baseline else _times(own, baseline)
        flops = _flops_per_token(plan.arms.get(arm.name))
        found.append(ArmCost(arm=arm.name, flops_per_token=flops, **figures))
    return StudyCosts(arms=found, at_once=_at_once(rows))


def _rows(store: Store, study: str) -> Sequence[Any]:
    """Arm, seed, id, times and provenance of the runs that are done."""
    provenance = cast(runs.c.provenance, Text).label("provenance")
    columns = (arms.c.name, members.c.seed, runs.c.id, runs.c.started, runs.c.finished, provenance)
    query = select(*columns).select_from(planned_runs)
    with store.begin() as connection:
        done = query.where(arms.c.study == study, runs.c.state == RunState.DONE)
        return connection.execute(done).all()


def _by_arm(
    rows: Sequence[Any], values: Mapping[str, Mapping[str, float]]
) -> dict[str, list[_Run]]:
    machines: dict[str | None, Machine | None] = {}
    found: dict[str, list[_Run]] = {}
    for row in rows:
        if row.provenance not in machines:
            machines[row.provenance] = _machine(parse_provenance(row.provenance))
        figures = {name: of[row.id] for name, of in values.items() if row.id in of}
        run = _Run(row.seed, figures, machines[row.provenance])
        found.setdefault(row.name, []).append(run)
    return found


def _machine(provenance: Provenance) -> Machine | None:
    attempts = (*provenance.earlier, provenance)
    found = {Machine(*(getattr(each, name) for name in Machine._fields)) for each in attempts}
    [first, *others] = found
    return None if others or first.device is None else first


def _times(own: Sequence[_Run], baseline: Mapping[int, _Run]) -> dict[str, Any]:
    """The fields of `ArmCost` on time."""
    timed = [
        (run, other)
        for run in own
        if (other := baseline.get(run.seed)) and run.figures.get(SPEED) and other.figures.get(SPEED)
    ]
    ratios = [
        other.figures[SPEED] / run.figures[SPEED]
        for run, other in timed
        if run.machine is not None and run.machine == other.machine
    ]
    seeds = {"seeds": len(ratios), "seeds_elsewhere": len(timed) - len(ratios)}
    if not ratios:
        return seeds
    return {
        **seeds,
        "time_ratio": median(ratios),
        "time_ratio_low": min(ratios),
        "time_ratio_high": max(ratios),
    }


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _flops_per_token(recipe: object) -> float | None:
    """None for a script and an import."""
    if not isinstance(recipe, Mapping):
        return None
    cost = stored_cost({**recipe, "seeds": ANY_SEEDS})
    return cost.flops / cost.tokens if cost and cost.tokens else None


def _at_once(rows: Sequence[Any]) -> int:
    """The largest number of runs whose times overlap. A run that several arms share is one run."""
    spans = {row.id: (row.started, row.finished) for row in rows if row.started and row.finished}
    events = [(began, 1) for began, _ in spans.values()] + [(end, -1) for _, end in spans.values()]
    most = now = 0
    for _, change in sorted(events):  # at one time, an end comes before a beginning
        now += change
        most = max(most, now)
    return most
