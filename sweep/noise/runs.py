"""The runs of a noise study, from a study trained here or an imported one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from analysis.multiplicity import CorrectionName
from sweep.noise.results import Rerun
from sweep.store.rows import LossRow, RunRow, StudyRow
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.study.file import Study
from sweep.study.names import BASELINE, STREAM_COLUMNS
from sweep.workload.job import Job
from sweep.workload.workload import Workload

if TYPE_CHECKING:
    from analysis.clusters import Clusters


class BaselineRun(NamedTuple):
    """One run of the baseline."""

    state: RunState
    loss: float | None
    """Test loss, nats per token."""
    init_seed: int
    order_seed: int
    dropout_seed: int


class ArmLoss(NamedTuple):
    """The test loss of one arm and seed, nats per token."""

    arm: str
    seed: int
    loss: float
    streams: tuple[int, ...] = ()
    """Its seeds in the order of `STREAM_COLUMNS`; empty if they are those of the baseline's run."""


@dataclass(frozen=True, kw_only=True)
class NoiseRuns:
    """The runs of a baseline, and those of the arms beside it."""

    study: str
    baseline: Sequence[BaselineRun]
    """Baseline runs with distinct seeds."""
    arms: Sequence[ArmLoss]
    """The study's own runs that are done, the baseline's included."""
    family: Sequence[str]
    """Every arm but the baseline, in the study's order."""
    alpha: float
    correction: CorrectionName
    """How p-values are adjusted for the number of arms."""
    baseline_arm: str = BASELINE
    imported: bool = False
    pairs: bool = True
    """False if runs with equal seeds do not pair, as an import can say."""

    @property
    def losses(self) -> list[float]:
        """Test losses of the baseline runs that are done, nats per token."""
        return [run.loss for run in done_runs(self.baseline) if run.loss is not None]

    @property
    def clusters(self) -> Clusters | None:
        """The baseline's runs by the seeds that they share; None if they share none."""
        return shared_seeds([_streams(run) for run in done_runs(self.baseline)])

    @property
    def n_diverged(self) -> int:
        """How many baseline runs diverged."""
        return sum(run.state == RunState.DIVERGED for run in self.baseline)

    def first_runs(self) -> dict[str, ArmLoss]:
        """The first run of each arm."""
        return {run.arm: run for run in reversed(self.arms)}


def shared_seeds(streams: Sequence[tuple[int, ...]]) -> Clusters | None:
    """Runs by the seeds that they share; a stream with one seed in all of them is held."""
    from analysis.clusters import find_clusters

    if not streams or not streams[0]:
        return None
    columns = zip(STREAM_COLUMNS, zip(*streams, strict=True), strict=True)
    held = [name for name, seeds in columns if len(set(seeds)) == 1]
    return find_clusters(STREAM_COLUMNS, streams, held)


def _streams(run: BaselineRun | LossRow) -> tuple[int, ...]:
    return run.init_seed, run.order_seed, run.dropout_seed


def done_runs(runs: Sequence[BaselineRun]) -> list[BaselineRun]:
    """The runs that have a test loss."""
    return [run for run in runs if run.state == RunState.DONE]


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
    family = [arm.name for arm in plan.compared]
    return NoiseRuns(
        study=plan.study.name,
        baseline=[_baseline_run(run) for run in runs if _seeds_follow(run, plan.study)],
        arms=[
            ArmLoss(*key, known[job.run_id])
            for key, job in jobs.items()
            if job.run_id in known and key[0] in {BASELINE, *family}
        ],
        family=family,
        alpha=plan.study.analysis.alpha,
        correction=plan.study.analysis.correction,
        pairs=plan.pairs,
    )


def imported_runs(store: Store, study: StudyRow) -> NoiseRuns:
    """The runs of an imported study."""
    plan, rows = store.plan(study), store.study_losses(study.name)
    return NoiseRuns(
        study=study.name,
        baseline=[_baseline_run(run) for run in rows if run.arm == plan.baseline],
        arms=[
            ArmLoss(run.arm, run.seed, run.test_loss, _streams(run))
            for run in rows
            if run.state == RunState.DONE and run.test_loss is not None
        ],
        family=[arm for arm in plan.arms if arm != plan.baseline],
        alpha=plan.analysis.alpha,
        correction=plan.analysis.correction,
        baseline_arm=plan.baseline,
        imported=True,
        pairs=plan.pairs,
    )


def layout_runs(store: Store, layout: Mapping[str, Job]) -> list[BaselineRun]:
    """The jobs of a crossed layout that are done."""
    known = store.losses([job.run_id for job in layout.values()])
    return [
        BaselineRun(
            state=RunState.DONE,
            loss=known[job.run_id],
            init_seed=job.spec.seeds.init,
            order_seed=job.spec.seeds.order,
            dropout_seed=job.spec.seeds.dropout,
        )
        for job in layout.values()
        if job.run_id in known
    ]


def exact_rerun(store: Store, run_id: str) -> Rerun | None:
    """The exact rerun of a run; None if either of them has no loss."""
    again, loss = store.rerun_of(run_id), store.losses([run_id]).get(run_id)
    if again is None or again.test_loss is None or loss is None:
        return None
    return Rerun(difference=again.test_loss - loss)


def imported_rerun(store: Store, study: StudyRow) -> Rerun | None:
    """The exact rerun of an imported study that differs most; None if it has none with a loss."""
    differences = store.rerun_differences(study.name)
    return Rerun(difference=max(differences, key=abs)) if differences else None


def _seeds_follow(run: RunRow, study: Study) -> bool:
    """True if a run's seeds vary as the design of the study says."""
    seeds = {"init": run.init_seed, "order": run.order_seed, "dropout": run.dropout_seed}
    varied = seeds[study.design.vary[0]]
    return seeds == study.design.streams(varied).model_dump()


def _baseline_run(row: RunRow | LossRow) -> BaselineRun:
    return BaselineRun(
        state=row.state,
        loss=row.test_loss,
        init_seed=row.init_seed,
        order_seed=row.order_seed,
        dropout_seed=row.dropout_seed,
    )
