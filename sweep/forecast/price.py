"""The time and the money that training takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sweep.design.plan import Plan
from sweep.forecast.outline import Outline
from sweep.forecast.pace import Pace
from sweep.study.executor_names import ExecutorName
from sweep.trainers.base import Cost


@dataclass(frozen=True, kw_only=True)
class Price:
    """The price of training."""

    pace: Pace
    per_hour: float | None
    """Price of one GPU for an hour, in any currency; on a CPU, of one run. None if not given."""

    def cost(self, plan: Plan, seconds: float) -> float | None:
        """The price of that many seconds of training; None without a price."""
        if self.per_hour is None or math.isnan(seconds):
            return None
        return self.per_hour * plan.study.jobs.gpus_per_run * seconds / 3600


@dataclass(frozen=True, kw_only=True)
class TrainingTime:
    """How long the missing runs of a plan take."""

    runs: int
    """Runs to train."""
    slots: int
    """Runs at a time, if there are so many."""
    executor: ExecutorName = "local"
    gpus_per_run: float
    may_have_gpus: bool = True
    """False if the study says that runs train on CPUs, in as many processes."""
    seconds: float
    """Training and evaluation, summed over all runs."""
    pace: Pace
    tokens_per_second: float
    """Training tokens per second in one run of the baseline."""
    cost: float | None
    """Price of all runs; None without a price."""

    @property
    def hours(self) -> float:
        """Training and evaluation, summed over all runs."""
        return self.seconds / 3600

    @property
    def used_slots(self) -> int:
        """Slots that have a run to train; at least 1."""
        return max(1, min(self.slots, self.runs))

    @property
    def elapsed_seconds(self) -> float:
        """Seconds from start to end, with `slots` runs at a time; the last ones may be fewer."""
        rounds = math.ceil(self.runs / self.used_slots)
        return self.seconds / max(1, self.runs) * rounds

    @property
    def elapsed_hours(self) -> float:
        """Hours from start to end, with `slots` runs at a time."""
        return self.elapsed_seconds / 3600

    @property
    def gpu_hours(self) -> float:
        """Hours multiplied by the GPUs of each run."""
        return self.seconds * self.gpus_per_run / 3600


def training_time(outline: Outline, price: Price, slots: int) -> TrainingTime:
    """Estimate how long the missing runs take, and their cost."""
    return time_of(outline.missing, outline.plan, price, slots)


def time_of(runs: Sequence[Cost], plan: Plan, price: Price, slots: int) -> TrainingTime:
    """Estimate how long some runs of a plan take, and their cost."""
    seconds = sum(price.pace.seconds(run) for run in runs)
    return TrainingTime(
        runs=len(runs),
        slots=slots,
        executor=plan.study.jobs.executor,
        gpus_per_run=plan.study.jobs.gpus_per_run,
        may_have_gpus=plan.study.jobs.may_have_gpus,
        seconds=seconds,
        pace=price.pace,
        tokens_per_second=price.pace.tokens_per_second(plan.arms[0].spec.cost),
        cost=price.cost(plan, seconds),
    )


@dataclass(frozen=True, kw_only=True)
class SeedsNeeded:
    """The seeds that detect an effect with 80% power, and what they cost; None if unknown."""

    seeds: int | None
    """Seeds per arm."""
    runs: int | None
    """Runs of all arms."""
    hours: float | None
    """Training and evaluation, summed over all runs."""
    cost: float | None
    """Price of all runs; None without a price, too."""


@dataclass(frozen=True, kw_only=True)
class WantedEffect:
    """The seeds that detect a given effect in every arm."""

    effect: float
    """Nats per token."""
    paired: SeedsNeeded
    """If each seed of an arm is compared with the same seed of the baseline."""
    unpaired: SeedsNeeded
    """If arm and baseline have different seeds."""


def wanted_effect(outline: Outline, effect: float, price: Price) -> WantedEffect | None:
    """The seeds that detect `effect` (nats) in every arm, with their training time and cost.

    None if the noise is unknown.
    """
    power = outline.power
    if power is None:
        return None
    return WantedEffect(
        effect=effect,
        paired=_needed(outline, power.seeds_for(effect, paired=True), price),
        unpaired=_needed(outline, power.seeds_for(effect, paired=False), price),
    )


def _needed(outline: Outline, seeds: int | None, price: Price) -> SeedsNeeded:
    if seeds is None:
        return SeedsNeeded(seeds=None, runs=None, hours=None, cost=None)
    seconds = seeds * sum(price.pace.seconds(run) for run in outline.costs.values())
    return SeedsNeeded(
        seeds=seeds,
        runs=seeds * len(outline.costs),
        hours=None if math.isnan(seconds) else seconds / 3600,
        cost=price.cost(outline.plan, seconds),
    )
