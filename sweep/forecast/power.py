"""How small an effect a design can see, before it is run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from analysis.multiplicity import CORRECTIONS
from sweep.design.plan import Plan
from sweep.forecast.pace import Pace
from sweep.noise.measure import FEWEST_SEEDS, finite, paired_differences
from sweep.noise.records import best_record
from sweep.noise.results import ArmDifferences
from sweep.noise.runs import trained_runs
from sweep.noise.setting import planned_setting
from sweep.store.store import Store
from sweep.workload.workload import Workload


@dataclass(frozen=True, kw_only=True)
class Chance:
    """What is known of the noise that a design will have to see through."""

    sd: float
    """Of single runs of the baseline, nats."""
    n: int | None
    """Baseline runs that it rests on; None where somebody has given it."""
    source: str
    """Where it comes from, for people."""
    warning: str | None
    """What must be known before it is relied on."""
    paired: Sequence[ArmDifferences]
    """Differences of arms to the baseline, by ascending sd."""


def known_chance(
    store: Store | None, plan: Plan, workload: Workload | None, given: float | None = None
) -> Chance | None:
    """The noise of a plan's baseline: as `given`, from runs, on record, or borrowed; or None."""
    own = _from_runs(store, workload) if store and workload else None
    known = _on_record(store, plan, workload) if store else None
    if own and known and not known.warning:
        source = known.source if known.n == own.n else own.source
        own = replace(own, source=source, paired=own.paired or known.paired)
    if given is not None:
        paired = own.paired if own else []
        return Chance(sd=given, n=None, source="as given", warning=None, paired=paired)
    return own or known


def _on_record(store: Store, plan: Plan, workload: Workload | None) -> Chance | None:
    found = best_record(store, plan.study.name, planned_setting(store, plan, workload))
    if found is None:
        return None
    record = found.record
    return Chance(
        sd=record.noise.sd,
        n=record.noise.n,
        source=record.source,
        warning=found.warning,
        paired=record.differences,
    )


def _from_runs(store: Store, workload: Workload) -> Chance | None:
    runs = trained_runs(store, workload)
    losses = runs.losses
    if len(losses) < FEWEST_SEEDS:
        return None
    from analysis.noise import noise

    return Chance(
        sd=noise(losses).sd,
        n=len(losses),
        source=f"{len(losses)} runs of the baseline",
        warning=None,
        paired=paired_differences(runs).arms,
    )


@dataclass(frozen=True, kw_only=True)
class Power:
    """A plan's tests, as far as power goes."""

    plan: Plan
    chance: Chance

    @property
    def alpha(self) -> float:
        """The level of one question: what the correction leaves it in the worst case."""
        settings = self.plan.study.analysis
        return CORRECTIONS[settings.correction].level(settings.alpha, len(self.plan.arms) - 1)

    def content(self) -> dict[str, Any]:
        """The smallest effects (nats) that the design sees at 80% power, as JSON values."""
        from analysis.power import (
            smallest_visible_effect,
            smallest_visible_effect_unpaired,
        )

        chance, seeds = self.chance, len(self.plan.seeds)
        sds, lent = self._spread(seeds)
        effects = [smallest_visible_effect(seeds, sd, self.alpha, extra_df=lent) for sd in sds]
        arms = [
            {"arm": row.arm, "effect": finite(effect)}
            for row, effect in zip(chance.paired, effects, strict=True)
        ]
        unpaired = smallest_visible_effect_unpaired(seeds, chance.sd, self.alpha)
        return {
            "noise": {
                "sd": chance.sd,
                "n": chance.n,
                "source": chance.source,
                "warning": chance.warning,
            },
            "alpha": self.alpha,
            "seeds": seeds,
            "smallest_visible_effect": {
                "unpaired": finite(unpaired),
                "paired": arms[len(arms) // 2]["effect"] if arms else None,
                "arms": arms,
            },
        }

    def _spread(self, seeds: int) -> tuple[list[float], float]:
        """Of paired differences, arm by arm: sds (nats), and the df that other arms lend."""
        from analysis.power import moderated_spread

        known = self.chance.paired
        if not known:
            return [], 0.0
        variances, df = [row.sd**2 for row in known], [row.n - 1 for row in known]
        spread, lent = moderated_spread(variances, df, seeds, len(self.plan.arms) - 1)
        return [math.sqrt(variance) for variance in spread.tolist()], lent

    def seeds_for(self, effect: float, *, paired: bool) -> int | None:
        """Seeds per arm that see an effect (nats) at 80% power; None if unknown, or too many.

        Paired: in the middle arm, the noisier of two in the middle.
        """
        from analysis.power import seeds_to_see, unpaired_precision

        if not paired:
            variance = self.chance.sd**2
            return seeds_to_see(effect, unpaired_precision(variance, 1, variance, 1), self.alpha)
        if not self.chance.paired:
            return None

        def precision(further: int) -> tuple[float, float]:
            seeds = 1 + further
            sds, lent = self._spread(seeds)
            return sds[len(sds) // 2] / math.sqrt(seeds), seeds - 1 + lent

        return seeds_to_see(effect, precision, self.alpha)


@dataclass(frozen=True, kw_only=True)
class Price:
    """What training costs."""

    pace: Pace
    per_hour: float | None
    """Of one GPU, or of whatever else a run takes for itself; None where nobody asked."""

    def cost(self, plan: Plan, seconds: float) -> float | None:
        """Of so many seconds of training in all."""
        if self.per_hour is None:
            return None
        return self.per_hour * plan.study.jobs.gpus_per_run * seconds / 3600


def wanted_effect(power: Power, effect: float, price: Price) -> dict[str, Any]:
    """What it takes to see an effect (nats) in every arm, as JSON values."""
    found: dict[str, Any] = {"effect": effect}
    per_seed = sum(price.pace.seconds(arm.spec.cost) for arm in power.plan.arms)
    for kind in ("paired", "unpaired"):
        seeds = power.seeds_for(effect, paired=kind == "paired")
        seconds = None if seeds is None else seeds * per_seed
        found[kind] = {
            "seeds": seeds,
            "runs": None if seeds is None else seeds * len(power.plan.arms),
            "hours": None if seconds is None else seconds / 3600,
            "cost": None if seconds is None else price.cost(power.plan, seconds),
        }
    return found
