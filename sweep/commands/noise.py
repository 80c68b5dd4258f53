"""`sweep noise`: how large is chance here?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count, islice
from pathlib import Path
from typing import Any

from rich.console import Console

from sweep.commands.data import prepare_large
from sweep.commands.run import EXIT_DONE, EXIT_INTERRUPTED, conclude, print_continuation
from sweep.errors import StudyError
from sweep.executors.slots import find_slots
from sweep.noise.decomposition import (
    Question,
    decomposition,
    idle_streams,
    imported_decomposition,
    layout_jobs,
)
from sweep.noise.measure import noise_content
from sweep.noise.records import (
    Circumstances,
    best_record,
    planned_circumstances,
    save_noise,
    stored_circumstances,
)
from sweep.noise.runs import baseline_job, imported_runs, layout_runs, trained_runs
from sweep.queue.owner import this_process
from sweep.queue.queue import Queue
from sweep.reports.document import print_document
from sweep.reports.formats import Format
from sweep.reports.noise_text import noise_document
from sweep.running.scheduler import Settings
from sweep.running.train import train_jobs, unfinished
from sweep.store.rows import StudyRow
from sweep.store.store import Store
from sweep.study.file import BASELINE, STREAMS, Study
from sweep.study.overrides import Overrides
from sweep.terminal.console import say
from sweep.workload.job import Job
from sweep.workload.workload import Workload, make_workload
from sweep.workspace import Workspace, read_plan

NOT_DECOMPOSED = {"components": None, "decomposition": None}


@dataclass(frozen=True)
class NoiseRequest:
    """What `sweep noise` was asked for."""

    study: str | None
    seeds: int
    slots: int | None
    form: Format = "table"
    output: Path | None = None
    overrides: Overrides = field(default_factory=dict)
    question: Question | None = None
    """Which streams the noise is decomposed over, if any."""


def noise(workspace: Workspace, request: NoiseRequest, console: Console, log: Console) -> int:
    """Train the baseline seeds that are missing, rerun one exactly, and print what chance does.

    `log` is where progress goes, so that `console` can be a program's input. The exit status.
    """
    study = workspace.imported_study(request.study)
    if study is not None:
        content = _imported(workspace.open(), study, request, log)
        _print(content, request, console)
        return EXIT_DONE
    path = workspace.study_file(request.study)
    workload = make_workload(read_plan(path, request.overrides), workspace.cache, online=True)
    settings = workload.plan.study.jobs
    jobs = noise_jobs(workload, request.seeds)
    layout = _layout(workload, request.question)
    places = find_slots(request.slots, settings.gpus_per_run)
    workload = prepare_large(workspace, workload, [*layout.values(), *jobs.values()], log)
    store = workspace.open_or_create()
    wanted = {job.run_id: (label, job) for label, job in [*layout.items(), *jobs.items()]}
    missing = {label: job for label, job in wanted.values() if unfinished(store, [job])}
    if missing:
        workload.inputs.save_small()
        Queue(store, this_process()).enqueue(missing.values())
        how = Settings(settings, workload.plan.study.name)
        summary = train_jobs(workspace, store, missing, places, how, log)
        if summary.interrupted:
            print_continuation(summary, len(missing), log)
            return EXIT_INTERRUPTED
    status = conclude(store, missing, log)
    content = _trained(store, workload, request.question, layout)
    _print(content, request, console)
    return status


def _layout(workload: Workload, question: Question | None) -> dict[str, Job]:
    """The jobs that a decomposition takes; none when none is asked for."""
    if question is None:
        return {}
    levels = list(islice(_seeds(workload.plan.study), question.levels))
    return layout_jobs(workload, question, levels)


def noise_jobs(workload: Workload, wanted: int) -> dict[str, Job]:
    """Jobs for `wanted` distinct baseline seeds, those done already included, and one exact rerun.

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
) -> dict[str, Any]:
    """What `--format json` prints; it is put on record. Raises StudyError with too few seeds."""
    study = workload.plan.study
    first = baseline_job(workload, study.design.seed_list()[0])
    content = {
        **noise_content(trained_runs(store, workload)),
        "rerun": _rerun(store, first.run_id),
        **NOT_DECOMPOSED,
    }
    if question is not None:
        idle = idle_streams(study, workload.plan.arms[0].spec)
        moving = [stream for stream in STREAMS if stream not in idle]
        content |= decomposition(layout_runs(store, layout), moving, question.streams)
    return _recorded(store, planned_circumstances(store, workload.plan, workload), content)


def _imported(store: Store, study: StudyRow, request: NoiseRequest, log: Console) -> dict[str, Any]:
    """The same of a study whose runs come from elsewhere: there is nothing to train."""
    if request.overrides:
        raise StudyError(
            f"--override: {study.name} was imported from {study.path}, and has no recipe that "
            "could be changed"
        )
    runs = imported_runs(store, study)
    content = {**noise_content(runs), "rerun": None, **NOT_DECOMPOSED}
    plan = store.plan(study)
    if content["n"] < request.seeds:
        say(
            log,
            f"{study.name} was imported: its {content['n']} baseline runs are all there are.",
        )
    if request.question is not None:
        content |= imported_decomposition(runs.baseline, plan.seed_columns, request.question)
    baseline = [planned.run for planned in store.study_runs(study.name, plan.baseline)]
    where = stored_circumstances(plan, baseline)
    return _recorded(store, where, content)


def _recorded(store: Store, now: Circumstances, content: dict[str, Any]) -> dict[str, Any]:
    """Put it on record. A decomposition on record that was not asked for again is told again."""
    name = content["study"]
    if content["decomposition"] is None and (known := best_record(store, name, now)):
        record, changes = known
        if not changes:
            content |= {key: record.content[key] for key in NOT_DECOMPOSED}
    save_noise(store, name, now, content)
    return content


def _rerun(store: Store, run_id: str) -> dict[str, Any] | None:
    """The exact rerun beside the original; None when either has no loss."""
    again, loss = store.rerun_of(run_id), store.losses([run_id]).get(run_id)
    if again is None or again.test_loss is None or loss is None:
        return None
    difference = again.test_loss - loss
    return {"identical": difference == 0.0, "difference": difference}


def _print(content: dict[str, Any], request: NoiseRequest, console: Console) -> None:
    print_document(noise_document(content), request.form, request.output, console)
