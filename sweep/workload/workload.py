"""A plan with its inputs: one job per arm and seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sweep.design.plan import Arm, Plan
from sweep.errors import StudyError
from sweep.trainers.base import Inputs, RunSpec
from sweep.trainers.registry import trainer_of
from sweep.trainers.supply import Supply
from sweep.workload.job import Job
from trainer.corpora.corpus import Corpus
from trainer.errors import CorpusError, WeightsError


@dataclass(frozen=True)
class Workload:
    """A plan, and the corpora and weights that its arms read."""

    plan: Plan
    inputs: Inputs

    def job(self, spec: RunSpec) -> Job:
        """Return the job of one run."""
        return self._jobs([spec])[0]

    def _jobs(self, specs: list[RunSpec]) -> list[Job]:
        """Return the jobs of runs that differ only in their seeds."""
        return [
            Job(
                run_id=identity.run_id,
                family=identity.family,
                corpus_hash=identity.corpus_hash,
                spec=spec,
            )
            for identity, spec in self.inputs.identify(specs)
        ]

    def jobs(self) -> dict[tuple[str, int], Job]:
        """Return jobs by arm and seed: all arms with the first seed, then with the second, ...

        In this order a study that is interrupted has results for every arm.
        """
        of_arms = {
            arm.name: dict(zip(arm.specs, self._jobs(list(arm.specs.values())), strict=True))
            for arm in self.plan.arms
        }
        return {(arm, seed): of_arms[arm][seed] for arm, seed in self.plan.cells}

    def check(self) -> None:
        """Raise StudyError if an arm does not fit its inputs, as far as is known.

        Also if two arms are the same because their inputs have the same content.
        """
        seen: dict[str, str] = {}
        for arm in self.plan.arms:
            self._check_arm(arm)
            twin = seen.setdefault(self.job(arm.spec).family, arm.name)
            if twin != arm.name:
                raise StudyError(
                    f"{self.plan.source}: arm {arm.name!r} is the same as arm {twin!r}: their corpora "
                    "or initial weights have different names and the same content; remove one"
                )

    def _check_arm(self, arm: Arm) -> None:
        try:
            self.inputs.check(arm.spec)
        except (CorpusError, WeightsError) as error:
            raise StudyError(f"{self.plan.source}: arm {arm.name!r}: {error}") from error

    def prepare_large(self, make: Callable[[Supply], Corpus]) -> Workload:
        """Return the same workload with its large corpora prepared by `make`.

        Raises StudyError if one does not fit its arms.
        """
        workload = replace(self, inputs=self.inputs.prepare_large(make))
        workload.check()
        return workload


def make_workload(plan: Plan, cache: Path, *, online: bool = False) -> Workload:
    """Find the inputs of a plan and check that the arms fit them; writes no tokens.

    Raises StudyError if an arm does not fit its inputs, CorpusError or WeightsError if there are
    none. With `online`, a dataset that was never looked up on the hub is looked up.
    """
    specs = [arm.spec for arm in plan.arms]
    study, beside = plan.study, Path(plan.source).parent
    inputs = trainer_of(study).find_inputs(study, specs, cache, beside, online=online)
    workload = Workload(plan, inputs)
    workload.check()
    return workload
