"""`sweep noise`: how large is chance here?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import count, islice
from pathlib import Path
from typing import Any

from rich.console import Console
from sqlalchemy import RowMapping

from sweep.commands.data import prepare_large
from sweep.commands.report import Format, publish
from sweep.commands.run import EXIT_INTERRUPTED, conclude, print_continuation
from sweep.console import say
from sweep.errors import StudyError
from sweep.jobs import Workload, make_workload
from sweep.override import Overrides
from sweep.owner import this_process
from sweep.queue import Job, Queue
from sweep.running import train_jobs, unfinished
from sweep.scheduler import Settings
from sweep.slots import find_slots
from sweep.store import Store
from sweep.study import BASELINE, Study
from sweep.workspace import Workspace, read_plan

FEWEST_SEEDS = 2
MOST_SEEDS = 10_000


@dataclass(frozen=True)
class NoiseRequest:
    """What `sweep noise` was asked for."""

    study: str | None
    seeds: int
    slots: int | None
    form: Format = "table"
    output: Path | None = None
    overrides: Overrides = field(default_factory=dict)


def noise(workspace: Workspace, request: NoiseRequest, console: Console, log: Console) -> int:
    """Train the baseline seeds that are missing, rerun one exactly, and print what chance does.

    `log` is where progress goes, so that `console` can be a program's input. The exit status.
    """
    path = workspace.study_file(request.study)
    workload = make_workload(read_plan(path, request.overrides), workspace.cache, online=True)
    settings = workload.plan.study.jobs
    places = find_slots(request.slots, settings.gpus_per_run)
    jobs = noise_jobs(workload, request.seeds)
    workload = prepare_large(workspace, workload, jobs.values(), log)
    store = workspace.open_or_create()
    missing = {label: job for label, job in jobs.items() if unfinished(store, [job])}
    if missing:
        workload.save_small()
        Queue(store, this_process()).enqueue(missing.values())
        how = Settings(settings, workload.plan.study.name)
        summary = train_jobs(workspace, store, missing, places, how, log)
        if summary.interrupted:
            print_continuation(summary, len(missing), log)
            return EXIT_INTERRUPTED
    status = conclude(store, missing, log)
    content = noise_content(store, workload)
    if request.form == "table" and request.output is None:
        print_noise(content, console)
    else:
        publish(_text(content, request.form), request.output, console)
    return status


def noise_jobs(workload: Workload, wanted: int) -> dict[str, Job]:
    """Jobs for `wanted` distinct baseline seeds, those done already included, and one exact rerun.

    The seeds are the study's own, then the smallest ones that it does not use.
    """
    seeds = islice(_seeds(workload.plan.study), wanted)
    jobs = {f"{BASELINE}/{seed}": _baseline_job(workload, seed) for seed in seeds}
    first_label, first = next(iter(jobs.items()))
    again = replace(first, run_id=f"{first.run_id}-again", repeat_of=first.run_id)
    return {**jobs, f"{first_label} again": again}


def _seeds(study: Study) -> Iterator[int]:
    own = study.design.seed_list()
    yield from own
    yield from (seed for seed in count(1) if seed not in own)


def _baseline_job(workload: Workload, seed: int) -> Job:
    arm = workload.plan.arms[0]
    seeds = workload.plan.study.design.streams(seed)
    return workload.job(arm, arm.recipe.model_copy(update={"seeds": seeds}))


def noise_content(store: Store, workload: Workload) -> dict[str, Any]:
    """What `--format json` prints. Raises StudyError with fewer than two finished seeds."""
    from analysis.noise import noise as summarise  # noqa: PLC0415  (brings numpy and scipy)

    study = workload.plan.study
    first = _baseline_job(workload, study.design.seed_list()[0])
    runs = [run for run in store.family_runs(first.family) if _follows(run, study)]
    losses = [run["test_loss"] for run in runs if run["state"] == "done"]
    if len(losses) < FEWEST_SEEDS:
        raise StudyError(
            f"{study.name}: noise needs two finished baseline seeds, and there are {len(losses)}; "
            "ask for more with --seeds"
        )
    return {
        "study": study.name,
        **asdict(summarise(losses)),
        "n_diverged": sum(run["state"] == "diverged" for run in runs),
        "rerun": _rerun(store, first.run_id),
        "arms": _placed(store, workload, losses),
    }


def _follows(run: RowMapping, study: Study) -> bool:
    """Whether a run's seeds vary as the study's design wants them to."""
    seeds = {name: run[f"{name}_seed"] for name in ("init", "order", "dropout")}
    varied = seeds[study.design.vary[0]]
    return seeds == study.design.streams(varied).model_dump()


def _rerun(store: Store, run_id: str) -> dict[str, Any] | None:
    """The exact rerun beside the original; None when either has no loss."""
    again, loss = store.rerun_of(run_id), store.losses([run_id]).get(run_id)
    if again is None or again["test_loss"] is None or loss is None:
        return None
    difference = again["test_loss"] - loss
    return {"identical": difference == 0.0, "difference": difference}


def _placed(store: Store, workload: Workload, losses: list[float]) -> list[dict[str, Any]]:
    """The first run of each arm as if it were all there is: is one run enough to tell?"""
    from analysis.effects import prediction_t  # noqa: PLC0415  (brings numpy and scipy)
    from analysis.multiplicity import adjust  # noqa: PLC0415

    plan, jobs = workload.plan, workload.jobs()
    seed = plan.seeds[0]
    known = store.losses([jobs[arm.name, seed].run_id for arm in plan.arms])
    rows: list[dict[str, Any]] = []
    for arm in plan.arms[1:]:
        loss = known.get(jobs[arm.name, seed].run_id)
        if loss is None:
            continue
        estimate = prediction_t(loss, losses)
        spread = estimate.standard_error
        rows.append(
            {
                "arm": arm.name,
                "seed": seed,
                "loss": loss,
                "difference": estimate.effect,
                "deviations": estimate.effect / spread if spread else None,
                "p": estimate.p,
            }
        )
    correction = plan.study.analysis.correction
    adjusted = adjust([row["p"] for row in rows], correction, len(plan.arms) - 1).tolist()
    return [{**row, "p_adjusted": p} for row, p in zip(rows, adjusted, strict=True)]


def print_noise(content: dict[str, Any], console: Console) -> None:
    """The tables for a terminal."""
    from analysis.table import NOISE_COLUMNS, rich_table  # noqa: PLC0415  (brings numpy)

    for line in noise_lines(content):
        say(console, line)
    if content["arms"]:
        console.print(rich_table(NOISE_COLUMNS, content["arms"], console.width))
        say(
            console,
            "One run of each arm against the baseline's seeds (prediction t): what a single run "
            "could have told. The study itself compares seed by seed: `sweep report`.",
        )


def noise_lines(content: dict[str, Any]) -> list[str]:
    """What stands above the table."""
    rerun = content["rerun"]
    if rerun is None:
        again = "No exact rerun yet."
    elif rerun["identical"]:
        again = "One seed run again: bit-identical, so all of this is the seeds."
    else:
        again = (
            f"One seed run again differs by {rerun['difference']:+.2e}: the hardware's own noise."
        )
    lines = [
        (
            f"{content['study']}: the baseline over {content['n']} seeds: "
            f"mean {content['mean']:.4f}, sd {content['sd']:.4f} "
            f"(95% interval {content['ci_low']:.4f} to {content['ci_high']:.4f})."
        ),
        again,
    ]
    if content["n_diverged"]:
        lines.append(f"{content['n_diverged']} further seeds diverged and are in none of this.")
    return [*lines, *_visible(content)]


def _visible(content: dict[str, Any]) -> list[str]:
    """The smallest effects that some numbers of unpaired seeds see."""
    from analysis.power import smallest_visible_effect_unpaired  # noqa: PLC0415  (brings scipy)

    effects = [f"{n}: {smallest_visible_effect_unpaired(n, content['sd']):.4f}" for n in (3, 5, 7)]
    seen = ", ".join(effects)
    return [f"Smallest effect seen at 80% power without pairing, by seeds per arm: {seen}."]


def _text(content: dict[str, Any], form: Format) -> str:
    from analysis.table import NOISE_COLUMNS, csv_table, markdown_table  # noqa: PLC0415

    if form == "json":
        return json.dumps(content, indent=1, allow_nan=False) + "\n"
    if form == "csv":
        return csv_table(content["arms"])
    table = markdown_table(NOISE_COLUMNS, content["arms"]).strip()
    return "\n".join([*noise_lines(content), "", table]) + "\n"
