"""The executor that a command line chooses instead of the study's."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sweep.design.plan import Plan
from sweep.study.executor_names import ExecutorName


@dataclass(frozen=True)
class ExecutorChoice:
    """What a command line says about where runs are executed; None for what the study says."""

    name: ExecutorName | None = None

    def applied_to(self, plan: Plan) -> Plan:
        """Return a plan whose runs are executed there. Its hash does not depend on it."""
        if self.name is None:
            return plan
        jobs = plan.study.jobs.model_copy(update={"executor": self.name})
        return replace(plan, study=plan.study.model_copy(update={"jobs": jobs}))


OF_THE_STUDY = ExecutorChoice()
