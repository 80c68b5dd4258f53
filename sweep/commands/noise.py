"""`sweep noise`: train baseline seeds and measure how much their losses vary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count, islice
from pathlib import Path

from rich.console import Console

from sweep.commands.executor_choice import OF_THE_STUDY, ExecutorChoice
from sweep.commands.training import EXIT_DONE, Steps, Training, carry_out, conclude
from sweep.errors import StudyError
from sweep.noise.decomposition import (
    Question,
    active_streams,
    decomposed,
    imported_decomposition,
    layout_jobs,
)
from sweep.noise.measure import measure_noise
from sweep.noise.records import record_noise
from sweep.noise.results import NoiseStudy
from sweep.noise.runs import (
    baseline_job,
    exact_rerun,
    imported_rerun,
    imported_runs,
    layout_runs,
    trained_runs,
)
from sweep.noise.setting import planned_setting, stored_setting
from sweep.reports.document import print_document
from sweep.reports.formats import Format
from sweep.reports.noise_text import noise_document
from sweep.running.train import unfinished
from sweep.store.rows import StudyRow
from sweep.store.store import Store
from sweep.study.file import Study
from sweep.study.names import BASELINE
from sweep.study.overrides import Overrides
from sweep.terminal.console import say
from sweep.workload.job import Job
from sweep.workload.workload import Workload, make_workload
from sweep.workspace import Workspace, read_plan


@dataclass(frozen=True)
class NoiseRequest:
    """The arguments of `sweep noise`."""

    study: str | None
    seeds: int
    slots: int | None
    form: Format = "table"
    output: Path | None = None
    overrides: Overrides = field(default_factory=dict)
    question: Question | None = None
    """The streams to decompose the noise by; None for no decomposition."""
    executor: ExecutorChoice = OF_THE_STUDY


def noise(workspace: Workspace, request: NoiseRequest, console: Console, log: Console) -> int:
    """Train missing baseline seeds, rerun one exactly, print the noise; returns the exit status.

    If nothing is missing, that works in a folder that cannot be written; nothing is recorded there.
    Progress goes to `log`, so that another program can read `console`.
    """
    study = workspace.imported_study(request.study)
    if study is not None:
        store = workspace.open() if workspace.is_writable else workspace.open_to_read()
        _print(_imported(store, study, request, log), request, console)
        return EXIT_DONE
    path = workspace.study_file(request.study)
    plan = request.executor.applied_to(read_plan(path, request.overrides))
    workload = make_workload(plan, workspace.cache, online=True)
    layout = _layout(workload, request.question)
    wanted = [*layout.items(), *noise_jobs(workload, request.seeds).items()]
    jobs = {job.run_id: (label, job) for label, job in wanted}  # a run may be in both
    training = Training(workload=workload, jobs=dict(jobs.values()), slots=request.slots)
    steps = NoiseSteps(request, layout, console)
    readable = None if workspace.is_writable else workspace.open_to_read_if_any()
    if readable is not None and not unfinished(readable, list(training.jobs.values())):
        steps.show(readable, training)
        return conclude(store, training.jobs, log)
    return carry_out(workspace, training, steps, log)


@dataclass(frozen=True)
class NoiseSteps(Steps):
    """Measures and prints the noise of the runs that were trained."""

    request: NoiseRequest
    layout: Mapping[str, Job]
    console: Console

    def show(self, store: Store, training: Training) -> None:
        found = _trained(store, training.workload, self.request.question, self.layout)
        _print(found, self.request, self.console)


def _layout(workload: Workload, question: Question | None) -> dict[str, Job]:
    """The jobs that a decomposition needs; empty if none is asked for."""
    if question is None:
        return {}
    levels = list(islice(_seeds(workload.plan.study), question.levels))
    return layout_jobs(workload, question, levels)


def noise_jobs(workload: Workload, wanted: int) -> dict[str, Job]:
    """Jobs for `wanted` distinct baseline seeds, finished ones included, and one exact rerun.

    The seeds are the study's own, then the smallest ones that it does not use.
    """
    seeds = islice(_seeds(workload.plan.study), wanted)
    jobs = {f"{BASELINE}/{seed}": baseline_job(workload, seed) for seed in seeds}
    first_label, first = next(iter(jobs.items()))
    again = replace(first, run_id=f"{first.run_id}-again", repeat_of=first.run_id)
    return {**jobs, f"{first_label} again": again}


def _seeds(study: Study) -> Iterator[int]:
    own = study.design.seed_list()
    yield from own
    yield from (seed for seed in count(1) if seed not in own)


def _trained(
    store: Store, workload: Workload, question: Question | None, layout: Mapping[str, Job]
) -> NoiseStudy:
    """Measure and store the noise of trained runs. Raises StudyError with too few seeds."""
    study, baseline = workload.plan.study, workload.plan.arms[0].spec
    first = baseline_job(workload, study.design.seed_list()[0])
    found = replace(
        measure_noise(trained_runs(store, workload)), rerun=exact_rerun(store, first.run_id)
    )
    if question is not None:
        streams, runs = active_streams(study, baseline), layout_runs(store, layout)
        found = replace(found, decomposition=decomposed(runs, streams, question))
    return record_noise(store, planned_setting(store, workload.plan, workload), found)


def _imported(store: Store, study: StudyRow, request: NoiseRequest, log: Console) -> NoiseStudy:
    """Measure and store the noise of an imported study; nothing is trained."""
    if request.overrides:
        raise StudyError(
            f"--override: {study.name} was imported from {study.path} and has no recipe to change"
        )
    runs, plan = imported_runs(store, study), store.plan(study)
    found = replace(measure_noise(runs), rerun=imported_rerun(store, study))
    if found.noise.n < request.seeds:
        say(log, f"{study.name} was imported: it has no more than {found.noise.n} baseline runs.")
    if request.question is not None:
        decomposition = imported_decomposition(runs.baseline, plan.seed_columns, request.question)
        found = replace(found, decomposition=decomposition)
    baseline = [planned.run for planned in store.study_runs(study.name, plan.baseline)]
    return record_noise(store, stored_setting(plan, baseline), found)


def _print(found: NoiseStudy, request: NoiseRequest, console: Console) -> None:
    print_document(noise_document(found), request.form, request.output, console)
