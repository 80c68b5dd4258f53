"""The runs that a noise study rests on: of a study that is trained here, or of an imported one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.multiplicity import CorrectionName
from sweep.store.rows import LossRow, RunRow, StudyRow
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.study.file import BASELINE, STREAM_COLUMNS, Study
from sweep.workload.job import Job
from sweep.workload.workload import Workload

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class NoiseRuns:
    """What is known of a baseline, and of the arms beside it."""

    study: str
    baseline: pd.DataFrame
    """Distinct seeds of the baseline: status, loss (nats) and the three stream seeds."""
    arms: pd.DataFrame
    """The study's own runs that are done: arm, seed, loss; the baseline's included."""
    family: Sequence[str]
    """Every arm but the baseline, in the study's order."""
    alpha: float
    correction: CorrectionName
    """How p-values are adjusted for the number of arms."""
    baseline_arm: str = BASELINE
    imported: bool = False

    @property
    def losses(self) -> list[float]:
        """Of the baseline's runs that are done, nats."""
        done: list[float] = self.baseline.loc[self.baseline["status"] == "done", "loss"].tolist()
        return done


def baseline_job(workload: Workload, seed: int) -> Job:
    """The job of a study's baseline with any seed."""
    arm = workload.plan.arms[0]
    seeds = workload.plan.study.design.streams(seed)
    return workload.job(arm.spec.with_seeds(seeds))


def trained_runs(store: Store, workload: Workload) -> NoiseRuns:
    """The runs of a study, and of its baseline with further seeds, that the store has."""
    plan, jobs = workload.plan, workload.jobs()
    runs = store.family_runs(baseline_job(workload, plan.seeds[0]).family)
    known = store.losses([job.run_id for job in jobs.values()])
    done = [(*key, known[job.run_id]) for key, job in jobs.items() if job.run_id in known]
    return NoiseRuns(
        study=plan.study.name,
        baseline=_baseline(run for run in runs if _follows(run, plan.study)),
        arms=_arms(done),
        family=[arm.name for arm in plan.arms[1:]],
        alpha=plan.study.analysis.alpha,
        correction=plan.study.analysis.correction,
    )


def imported_runs(store: Store, study: StudyRow) -> NoiseRuns:
    """The runs of a study whose results come from elsewhere."""
    plan, rows = store.plan(study), store.study_losses(study.name)
    done = [
        (run.arm, run.seed, run.test_loss)
        for run in rows
        if run.state == RunState.DONE and run.test_loss is not None
    ]
    baseline = plan.baseline
    return NoiseRuns(
        study=study.name,
        baseline=_baseline(run for run in rows if run.arm == baseline),
        arms=_arms(done),
        family=[arm for arm in plan.arms if arm != baseline],
        alpha=plan.analysis.alpha,
        correction=plan.analysis.correction,
        baseline_arm=baseline,
        imported=True,
    )


def layout_runs(store: Store, layout: Mapping[str, Job]) -> pd.DataFrame:
    """The losses of those of the jobs that are done, with their stream seeds."""
    import pandas as pd

    known = store.losses([job.run_id for job in layout.values()])
    rows = [
        {"loss": known[job.run_id]}
        | {f"{name}_seed": seed for name, seed in job.spec.seeds.model_dump().items()}
        for job in layout.values()
        if job.run_id in known
    ]
    return pd.DataFrame(rows, columns=["loss", *STREAM_COLUMNS])


def _follows(run: RunRow, study: Study) -> bool:
    """Whether a run's seeds vary as the study's design wants them to."""
    seeds = {"init": run.init_seed, "order": run.order_seed, "dropout": run.dropout_seed}
    varied = seeds[study.design.vary[0]]
    return seeds == study.design.streams(varied).model_dump()


def _baseline(rows: Iterable[RunRow | LossRow]) -> pd.DataFrame:
    import pandas as pd

    names = ("state", "test_loss", *STREAM_COLUMNS)
    found = [tuple(getattr(row, name) for name in names) for row in rows]
    return pd.DataFrame(found, columns=["status", "loss", *STREAM_COLUMNS])


def _arms(rows: Sequence[tuple[str, int, float]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=["arm", "seed", "loss"])
