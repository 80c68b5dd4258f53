"""The executor that a command line chooses instead of the study's."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sweep.design.plan import Plan
from sweep.study.executor_names import ExecutorName
from sweep.study.ray_section import Ray


@dataclass(frozen=True)
class ExecutorChoice:
    """What a command line says about where runs are executed; None for what the study says."""

    name: ExecutorName | None = None
    ray_address: str | None = None
    """Address of a Ray cluster; it implies the executor `ray`."""

    def applied_to(self, plan: Plan) -> Plan:
        """Return a plan whose runs are executed there. Its hash does not depend on it."""
        jobs = plan.study.jobs
        if self.ray_address is not None:
            ray = (jobs.ray or Ray()).model_copy(update={"address": self.ray_address})
            jobs = jobs.model_copy(update={"executor": "ray", "ray": ray})
        if self.name is not None:
            jobs = jobs.model_copy(update={"executor": self.name})
        return replace(plan, study=plan.study.model_copy(update={"jobs": jobs}))


OF_THE_STUDY = ExecutorChoice()
