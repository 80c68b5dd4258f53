"""A plan with the state of its runs: which are done, which are missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sweep.design.plan import Arm, Plan
from sweep.forecast.power import Power, find_noise
from sweep.store.states import FINISHED
from sweep.store.store import Store
from sweep.trainers.base import Cost
from sweep.workload.job import Job
from sweep.workload.workload import Workload


@dataclass(frozen=True, kw_only=True)
class ArmOutline:
    """One arm of a plan: its size and its runs."""

    arm: str
    """Name of the arm."""
    changes: Mapping[str, Any]
    """Recipe fields that the arm sets, as `section.field`."""
    parameters: int
    """Parameters of its model."""
    steps: int
    """Optimizer steps of one run."""
    runs: int
    """Runs that are planned: one per seed."""
    done: int
    """Runs that have finished."""


@dataclass(frozen=True)
class Outline:
    """A plan and the runs of it that the store has."""

    plan: Plan
    workload: Workload | None
    """None if a corpus or initial weights are missing; then it is unknown which runs are done."""
    store: Store | None
    """None if nothing has been run yet."""
    sd: float | None = None
    """Standard deviation of single runs of the baseline, nats; None if the user did not give it."""

    @cached_property
    def power(self) -> Power | None:
        """The power of the plan's tests; None if the noise is unknown."""
        noise = find_noise(self.store, self.plan, self.workload, self.sd)
        return Power(plan=self.plan, noise=noise) if noise else None

    @cached_property
    def jobs(self) -> dict[tuple[str, int], Job]:
        """Jobs by arm and seed; empty without a workload."""
        return self.workload.jobs() if self.workload else {}

    @cached_property
    def done(self) -> set[tuple[str, int]]:
        """Arms and seeds that have a result."""
        if self.store is None:
            return set()
        states = self.store.states([job.run_id for job in self.jobs.values()])
        return {key for key, job in self.jobs.items() if states.get(job.run_id) in FINISHED}

    @cached_property
    def costs(self) -> dict[str, Cost]:
        """Cost and size of one run of each arm; it does not depend on the seed."""
        return {arm.name: arm.spec.cost for arm in self.plan.arms}

    @cached_property
    def missing(self) -> list[Cost]:
        """The runs that are still to be trained, arm by arm."""
        planned = [(arm.name, seed) for arm in self.plan.arms for seed in arm.specs]
        return [self.costs[arm] for arm, seed in planned if (arm, seed) not in self.done]

    @property
    def runs(self) -> int:
        """Number of planned runs."""
        return sum(len(arm.specs) for arm in self.plan.arms)

    @property
    def tokens(self) -> int:
        """Training tokens of the missing runs."""
        return sum(run.tokens for run in self.missing)

    @property
    def flops(self) -> float:
        """Floating-point operations of the missing runs."""
        return sum(run.flops for run in self.missing)

    def arms(self) -> list[ArmOutline]:
        """All arms, the baseline first."""
        return [self._arm(arm) for arm in self.plan.arms]

    def _arm(self, arm: Arm) -> ArmOutline:
        cost = self.costs[arm.name]
        return ArmOutline(
            arm=arm.name,
            changes=arm.changes,
            parameters=cost.parameters,
            steps=cost.steps,
            runs=len(arm.specs),
            done=sum((arm.name, seed) in self.done for seed in arm.specs),
        )
