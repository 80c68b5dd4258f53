"""The smallest effect that a design detects, and the seeds that an effect needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from analysis.multiplicity import CORRECTIONS
from sweep.design.plan import Plan
from sweep.noise.measure import FEWEST_SEEDS, finite, paired_differences
from sweep.noise.records import best_record
from sweep.noise.results import ArmDifferences
from sweep.noise.runs import trained_runs
from sweep.noise.setting import planned_setting
from sweep.store.store import Store
from sweep.workload.workload import Workload


@dataclass(frozen=True, kw_only=True)
class KnownNoise:
    """The noise of a plan's baseline, as far as it is known before the plan is run."""

    sd: float
    """Standard deviation of single runs of the baseline, nats."""
    n: int | None
    """Number of baseline runs that it was measured on; None if the user gave it."""
    source: str
    """Where it comes from, for people."""
    warning: str | None
    """The differences between the plan and the study that measured it; None without any."""
    paired: Sequence[ArmDifferences]
    """Noise of the differences to the baseline, by ascending sd."""


def find_noise(
    store: Store | None, plan: Plan, workload: Workload | None, given: float | None = None
) -> KnownNoise | None:
    """The noise of a plan's baseline; None if it is unknown.

    `given` (nats) comes first, then the study's own runs, then records of `sweep noise`.
    """
    own = _from_runs(store, workload) if store and workload else None
    known = _from_record(store, plan, workload) if store else None
    if own and known and not known.warning:
        source = known.source if known.n == own.n else own.source
        own = replace(own, source=source, paired=own.paired or known.paired)
    if given is not None:
        paired = own.paired if own else []
        return KnownNoise(sd=given, n=None, source="as given", warning=None, paired=paired)
    return own or known


def _from_record(store: Store, plan: Plan, workload: Workload | None) -> KnownNoise | None:
    found = best_record(store, plan.study.name, planned_setting(store, plan, workload))
    if found is None:
        return None
    record = found.record
    return KnownNoise(
        sd=record.noise.sd,
        n=record.noise.counted,
        source=record.source,
        warning=found.warning,
        paired=record.differences,
    )


def _from_runs(store: Store, workload: Workload) -> KnownNoise | None:
    runs = trained_runs(store, workload)
    losses = runs.losses
    if len(losses) < FEWEST_SEEDS:
        return None
    from analysis.noise import noise

    return KnownNoise(
        sd=noise(losses).sd,
        n=len(losses),
        source=f"{len(losses)} runs of the baseline",
        warning=None,
        paired=paired_differences(runs).arms,
    )


@dataclass(frozen=True, kw_only=True)
class ArmEffect:
    """The smallest effect that a paired test of one arm detects."""

    arm: str
    effect: float | None
    """Nats per token; None if no effect is detected."""


@dataclass(frozen=True, kw_only=True)
class VisibleEffects:
    """The smallest effects that a design detects with 80% power."""

    noise: KnownNoise
    alpha: float
    """Level of one test, after the correction for the number of arms."""
    seeds: int
    """Seeds per arm."""
    unpaired: float | None
    """If arm and baseline have different seeds, nats per token; None if no effect is detected."""
    arms: Sequence[ArmEffect]
    """If they have the same seeds, in each arm of known noise, by ascending noise."""

    @property
    def paired(self) -> float | None:
        """The paired effect of the median arm, the noisier one of two in the middle."""
        return self.arms[len(self.arms) // 2].effect if self.arms else None

    def to_json(self) -> dict[str, Any]:
        """Plain values for `sweep plan --format json`."""
        noise = self.noise
        return {
            "noise": {
                "sd": noise.sd,
                "n": noise.n,
                "source": noise.source,
                "warning": noise.warning,
            },
            "alpha": self.alpha,
            "seeds": self.seeds,
            "smallest_visible_effect": {
                "unpaired": self.unpaired,
                "paired": self.paired,
                "arms": [{"arm": each.arm, "effect": each.effect} for each in self.arms],
            },
        }


@dataclass(frozen=True, kw_only=True)
class Power:
    """The power of a plan's tests, given the noise."""

    plan: Plan
    noise: KnownNoise

    @property
    def alpha(self) -> float:
        """Level of one test in the worst case of the correction."""
        settings = self.plan.study.analysis
        return CORRECTIONS[settings.correction].level(settings.alpha, len(self.plan.compared))

    @cached_property
    def visible(self) -> VisibleEffects:
        """The smallest effects that the plan's seeds detect with 80% power."""
        from analysis.power import (
            smallest_visible_effect,
            smallest_visible_effect_unpaired,
        )

        noise, seeds = self.noise, len(self.plan.seeds)
        sds, lent = self._paired_sds(seeds)
        paired = [smallest_visible_effect(seeds, sd, self.alpha, extra_df=lent) for sd in sds]
        unpaired = smallest_visible_effect_unpaired(seeds, noise.sd, self.alpha)
        return VisibleEffects(
            noise=noise,
            alpha=self.alpha,
            seeds=seeds,
            unpaired=finite(unpaired),
            arms=[
                ArmEffect(arm=each.arm, effect=finite(effect))
                for each, effect in zip(noise.paired, paired, strict=True)
            ],
        )

    def _paired_sds(self, seeds: int) -> tuple[list[float], float]:
        """Moderated sds of paired differences by arm (nats), and the df that other arms lend."""
        from analysis.power import moderated_spread

        known = self.noise.paired
        if not known:
            return [], 0.0
        variances, df = [each.sd**2 for each in known], [each.n - 1 for each in known]
        spread, lent = moderated_spread(variances, df, seeds, len(self.plan.compared))
        return [math.sqrt(variance) for variance in spread.tolist()], lent

    def seeds_for(self, effect: float, *, paired: bool) -> int | None:
        """Seeds per arm that detect an effect (nats) with 80% power; None if unknown, or too many.

        Paired: in the median arm, the noisier one of two in the middle.
        """
        from analysis.power import seeds_to_see, unpaired_precision

        if not paired:
            variance = self.noise.sd**2
            return seeds_to_see(effect, unpaired_precision(variance, 1, variance, 1), self.alpha)
        if not self.noise.paired:
            return None

        def precision(further: int) -> tuple[float, float]:
            seeds = 1 + further
            sds, lent = self._paired_sds(seeds)
            return sds[len(sds) // 2] / math.sqrt(seeds), seeds - 1 + lent

        return seeds_to_see(effect, precision, self.alpha)
