"""The plan of a study as the database stores it, with typed fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sweep.metrics.metric import Direction, Metric
from sweep.metrics.registry import KNOWN, PRIMARY
from sweep.store.search_content import SearchContent, TunedContent
from sweep.store.stopped_content import StoppedContent, read_stopped
from sweep.study.analysis_section import budget_arm, without_unset
from sweep.study.names import BASELINE


@dataclass(frozen=True, kw_only=True)
class AnalysisSettings:
    """Settings of the tests that give the verdicts."""

    alpha: float
    correction: str
    """A name in the registry of corrections."""
    smallest_effect: float
    """In the unit of the metric: nats per token if sweep trained the runs."""
    margin: float | None = None
    """In the same unit: arms are also tested for an improvement by at least this much."""
    target: float | None = None
    """In the same unit: the mean of every arm is tested against it."""
    exchange: Sequence[float] = field(default_factory=list)
    """Factors of the baseline's tokens with which it is trained too."""
    primary: str | None = None
    """The metric that verdicts are about, if the study names it."""
    guards: Mapping[str, str] = field(default_factory=dict)
    """By metric: how much worse it may be, as `sweep.metrics.bounds` reads it."""

    def json(self) -> dict[str, Any]:
        """JSON values, as a plan has them."""
        return without_unset(vars(self))


@dataclass(frozen=True, kw_only=True)
class StackContent:
    """The part of a stack's plan that says where the stack comes from."""

    of: str
    """The study whose interventions are stacked."""
    plan: str
    """Hash of that study's plan."""
    promise: Mapping[str, Any]
    """The fields of `analysis.stacking.Promise`."""
    json: Mapping[str, Any]
    """The stored JSON."""

    @property
    def members(self) -> list[str]:
        """The stacked interventions."""
        return list(self.promise["members"])

    @property
    def promised_effect(self) -> float:
        """Predicted effect, nats per token."""
        return float(self.promise["effect"])


@dataclass(frozen=True, kw_only=True)
class DesignContent:
    """The part of a plan that says which factors its arms combine."""

    kind: str
    """A name in `sweep.design.arms.DESIGNS`; `IMPORTED_FACTORIAL` for one that a file has."""
    factors: Mapping[str, Sequence[str]]
    """By factor: the interventions that are its levels beside the baseline's; of a factorial from a
    file, all levels, the lowest first."""
    cells: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Of a factorial from a file, by arm: the number of its level in each factor."""

    def levels_of(self, interventions: Sequence[str]) -> list[int]:
        """The level of each factor in an arm with these interventions; 0 is the baseline's."""
        return [
            next((place for place, level in enumerate(levels, 1) if level in interventions), 0)
            for levels in self.factors.values()
        ]


IMPORTED_FACTORIAL = "imported factorial"
"""The kind of a factorial that `sweep import --factors` read."""


SEED_LISTS = ("seeds", "baseline", "seen")
"""Fields of `PlannedLook` that list seeds."""


@dataclass(frozen=True, kw_only=True)
class PlannedLook:
    """The seeds of an arm when its first result could be seen, and those seen since."""

    seeds: Sequence[int]
    """Planned seeds of the arm. None: the seeds of now stand for other random streams."""
    baseline: Sequence[int]
    """Those of the baseline."""
    seen: Sequence[int] = ()
    """All seeds of the arm that had a result when a later plan was stored."""
    later_plans: int = 0
    """Number of plans between the look and this one."""

    @classmethod
    def from_json(cls, json: Mapping[str, Any]) -> PlannedLook:
        """Read what `json` has written."""
        seeds = {name: _from_ranges(json[name]) for name in SEED_LISTS}
        return cls(**seeds, later_plans=json.get("later_plans", 0))

    @property
    def json(self) -> dict[str, Any]:
        """Each list of seeds as ranges, first and last: an import may have a million."""
        seeds = {name: _as_ranges(getattr(self, name)) for name in SEED_LISTS}
        return {**seeds, "later_plans": self.later_plans}


def _as_ranges(seeds: Sequence[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for seed in sorted(seeds):
        if ranges and seed == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], seed)
        else:
            ranges.append((seed, seed))
    return ranges


def _from_ranges(ranges: Sequence[tuple[int, int]]) -> list[int]:
    return [seed for first, last in ranges for seed in range(first, last + 1)]


@dataclass(frozen=True, kw_only=True)
class PlanContent:
    """A plan: decided before the first run, or derived from an imported file."""

    study: str
    analysis: AnalysisSettings
    arms: Mapping[str, Any]
    """By arm: its recipe without seeds as nested JSON; for an imported study its number of runs."""
    baseline: str = BASELINE
    seeds: Sequence[int] = ()
    arm_seeds: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """The seeds of arms that the study's file gives others than `seeds`."""
    settled: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """By arm: the seeds that `sweep settle` added."""
    race_start: int | None = None
    """Seeds that every arm of a race has; None for a fixed plan."""
    stopped: Mapping[str, StoppedContent] = field(default_factory=dict)
    """By arm: the decision to stop it early."""
    vary: Sequence[str] = ()
    """Random streams that differ between seeds."""
    hold: int = 0
    """Seed of the other streams."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Baseline fields that the command line set, as `section.field`."""
    stack: StackContent | None = None
    design: DesignContent | None = None
    """The factors of the design; None for one change at a time."""
    tuned: TunedContent | None = None
    """Origin of values that a search has found."""
    search: SearchContent | None = None
    """For the trials of a search: what is searched."""
    imported: bool = False
    metric: str | None = None
    """Column of an imported file that holds the losses; of a script, the metric of the verdicts."""
    direction: Direction = Direction.MINIMIZE
    """The direction in which the metric improves."""
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    """Metrics of an import or of a script, by name; of the built-in trainer, those of lm-eval's tasks."""
    seed_columns: Sequence[str] = ()
    """The columns that tell an imported study's runs apart, and by which they pair."""
    pairs: bool = True
    """False if runs with equal seeds do not pair, as `sweep import --no-pairs` says."""
    labels: Mapping[str, int] = field(default_factory=dict)
    """Seeds of an imported study that are not numbers, with the numbers that stand for them."""
    existed: Mapping[str, Sequence[int]] | None = None
    """By arm: the seeds whose runs had results before the plan; None if that was not recorded."""
    looks: Mapping[str, PlannedLook] | None = None
    """By arm: the look that was had at it before this plan; None if that was not recorded."""
    former_looks: Mapping[str, PlannedLook] = field(default_factory=dict)
    """The looks at arms that are no longer in the plan, by the key of their recipe."""
    replaced: Sequence[str] = ()
    """Results of an imported study that a later import replaced, in words."""
    json: Mapping[str, Any] = field(default_factory=dict)
    """The stored JSON."""

    @property
    def known_metrics(self) -> Mapping[str, Metric]:
        """The metrics that runs may have, by name; the primary one is among them."""
        if self.metric is None:
            return {**KNOWN, **self.metrics}
        own = Metric(name=self.metric, title=self.metric, unit="", direction=self.direction)
        return {self.metric: own, **self.metrics}

    @property
    def primary(self) -> Metric:
        """The metric that verdicts are about."""
        return self.known_metrics[self.analysis.primary or self.metric or PRIMARY.name]

    @property
    def budgets(self) -> list[str]:
        """The arms that are the baseline with other budgets; they are no questions."""
        return [arm for arm in map(budget_arm, self.analysis.exchange) if arm in self.arms]

    def seeds_of(self, arm: str) -> list[int]:
        """The seeds of an arm, in the order in which it gets them; the baseline has those of all."""
        if arm == self.baseline:
            others = (self.seeds_of(each) for each in self.arms if each != arm)
            return list(dict.fromkeys(seed for seeds in (self.seeds, *others) for seed in seeds))
        return [*self.arm_seeds.get(arm, self.seeds), *self.settled.get(arm, ())]

    @classmethod
    def from_json(cls, json: Mapping[str, Any]) -> PlanContent:
        """Read the column `plans.content`. Raises KeyError if a field is missing."""
        stack, tuned, search = json.get("stack"), json.get("tuned"), json.get("search")
        named = KNOWN.get(json["analysis"].get("primary"), PRIMARY)
        return cls(
            study=json["study"],
            analysis=AnalysisSettings(**json["analysis"]),
            arms=json["arms"],
            baseline=json.get("baseline", BASELINE),
            seeds=json.get("seeds", ()),
            arm_seeds=json.get("arm_seeds", {}),
            settled=json.get("settled", {}),
            race_start=(json.get("race") or {}).get("start"),
            stopped=read_stopped(json.get("stopped", {})),
            vary=json.get("vary", ()),
            hold=json.get("hold", 0),
            overrides=json.get("overrides", {}),
            stack=StackContent(**stack, json=stack) if stack else None,
            design=DesignContent(**design) if (design := json.get("design")) else None,
            tuned=TunedContent.from_json(tuned) if tuned else None,
            search=SearchContent(**search) if search else None,
            imported=json.get("imported", False),
            metric=json.get("metric"),
            direction=Direction(json.get("direction", named.direction)),
            metrics={
                name: Metric.from_json(name, each) for name, each in json.get("metrics", {}).items()
            },
            seed_columns=json.get("seed_columns", ()),
            pairs=json.get("pairs", True),
            labels=json.get("labels", {}),
            existed=json.get("existed"),
            looks=_read_looks(json.get("looks")),
            former_looks=_read_looks(json.get("former_looks")) or {},
            replaced=json.get("replaced", ()),
            json=json,
        )


def _read_looks(json: Mapping[str, Any] | None) -> dict[str, PlannedLook] | None:
    if json is None:
        return None
    return {arm: PlannedLook.from_json(look) for arm, look in json.items()}
