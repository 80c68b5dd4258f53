"""The pages of `sweep serve`: all studies, one study with its runs, one run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote

from analysis.pictures.figure import Figure, Line, Panel
from analysis.pictures.scale import linear_axis
from sweep.errors import UserError
from sweep.figures.curve_data import TRAINING_LOSS
from sweep.figures.source import Source
from sweep.metrics.metric import Metric
from sweep.metrics.registry import PRIMARY
from sweep.pages.page import Cell, Code, Facts, Page, PageFigure, PageTable, Part, Section
from sweep.reports.search_text import search_document
from sweep.reports.verdict_page import search_page, verdict_page
from sweep.reports.verdict_text import report_document
from sweep.searching.curves import run_curves
from sweep.store.find_run import find_run
from sweep.store.places import places_of_run
from sweep.store.plan_content import PlanContent
from sweep.store.rows import PlannedRun, RunRow, StudyRow
from sweep.store.states import OPEN, RunState
from sweep.store.store import Store
from sweep.terminal.printable import harmless
from sweep.terminal.units import local_minute
from trainer.words import capitalized

REFRESH_SECONDS = 10
"""How often a page is loaded again while runs are open."""
MAX_RUNS = 2_000
"""Runs that the page of a study lists."""
MAX_LOG = 200_000
"""Bytes at the end of a log that are shown."""
MAX_POINTS = 400
"""Points of a run's curve that are drawn, about."""
TONES = {
    RunState.DONE: "better",
    RunState.RUNNING: "undecided",
    RunState.FAILED: "worse",
    RunState.DIVERGED: "worse",
}


def studies_page(store: Store, where: str) -> Page:
    """The page of all studies, the latest first."""
    rows, is_open = [], False
    for study in store.studies():
        counts = sum(store.states_by_arm(study.name).values(), Counter[RunState]())
        is_open = is_open or any(counts[state] for state in OPEN)
        rows.append(
            [
                Cell(text=study.name, link=f"studies/{quote(study.name, safe='')}"),
                Cell(text=str(counts.total())),
                Cell(text=str(counts[RunState.DONE])),
                Cell(text=str(counts[RunState.RUNNING])),
                Cell(text=str(counts[RunState.FAILED] + counts[RunState.DIVERGED])),
                Cell(text=local_minute(study.last_run)),
            ]
        )
    table = PageTable(
        title="Studies, the latest first",
        headers=["study", "runs", "done", "running", "failed or diverged", "last started"],
        numeric=[False, True, True, True, True, False],
        rows=rows,
    )
    return Page(
        title=f"Studies in {harmless(where)}",
        sections=[Section(title="Studies", parts=[table] if rows else ["There are none yet."])],
        refresh_seconds=REFRESH_SECONDS if is_open else 0,
    )


def study_page(store: Store, study: StudyRow) -> Page:
    """The report of a study, and its runs; if it cannot be judged, why."""
    runs = store.study_runs(study.name)
    is_open = any(each.run.state in OPEN for each in runs)
    try:
        page = _report_page(store, study)
    except UserError as error:
        page = Page(title=harmless(study.name), warnings=[str(error)])
    return replace(
        page,
        sections=[
            *page.sections,
            Section(title="Runs", parts=_runs_parts(runs, store.plan(study))),
        ],
        refresh_seconds=REFRESH_SECONDS if is_open else 0,
        trail=[Cell(text="all studies", link="../")],
    )


def _report_page(store: Store, study: StudyRow) -> Page:
    """The page of `sweep report`. Raises UserError."""
    source = Source(store, study)
    if source.is_search:
        result = source.tuning.result
        assert result is not None  # noqa: S101  (for the type checker: the plan has a search)
        return search_page(search_document(result), source)
    document = report_document(source.report, tuning=source.tuning)
    return verdict_page(document, source, store.arms(study.name))


def _metric(plan: PlanContent) -> Metric:
    """What the column `test_loss` of a study's runs is: of a script or an import, their metric."""
    return PRIMARY if plan.metric is None else plan.primary


def _runs_parts(runs: Sequence[PlannedRun], plan: PlanContent) -> list[Part]:
    parts: list[Part] = [_runs_table(runs[:MAX_RUNS], _metric(plan))]
    if len(runs) > MAX_RUNS:
        parts.append(f"These are the first {MAX_RUNS:,} of {len(runs):,} runs.")
    return parts


def _runs_table(runs: Sequence[PlannedRun], metric: Metric) -> PageTable:
    return PageTable(
        title="Runs by arm and seed",
        headers=["run", "state", harmless(metric.title), "steps", "ended"],
        numeric=[False, False, True, True, False],
        rows=[
            [
                Cell(text=f"{each.arm}/{each.seed}", link=f"../runs/{each.run.id}"),
                Cell(text=each.run.state, tone=TONES.get(each.run.state, "negligible")),
                Cell(text=_value(each.run.test_loss, metric)),
                Cell(text="" if each.run.steps is None else f"{each.run.steps:,}"),
                Cell(text=local_minute(each.run.finished)),
            ]
            for each in runs
        ],
    )


def run_page(store: Store, run_id: str) -> Page:
    """What is known of a run. Raises NotFoundError if there is none with this id."""
    run = find_run(store, run_id).run
    places = places_of_run(store, run.id)
    plan = store.plan(store.study(places[0].study)) if places else None
    metric = _metric(plan) if plan else PRIMARY
    parts: list[Part] = [Facts(items=_facts(run, metric))]
    curve = run_curves(store, [run.id], metric.name)[run.id]
    figure = _curve(curve, TRAINING_LOSS if metric == PRIMARY else harmless(metric.words))
    attempts = PageTable(
        title="Attempts",
        headers=["attempt", "began", "ended", "outcome", "reason"],
        numeric=[False] * 5,
        rows=[
            [
                Cell(text=str(each.number)),
                Cell(text=local_minute(each.claimed)),
                Cell(text=local_minute(each.ended)),
                Cell(text=each.outcome or "running"),
                Cell(text=harmless(each.reason or "")),
            ]
            for each in store.attempts(run.id)
        ],
    )
    return Page(
        title=f"Run {run.id[:12]}",
        sections=[
            Section(title="Result", parts=parts),
            *(
                [Section(title="Training curve", parts=[PageFigure(figure=figure)])]
                if figure
                else []
            ),
            Section(title="Attempts", parts=[attempts]),
            Section(title="Log", parts=[Code(title="Output of the run", text=_log(store, run))]),
        ],
        refresh_seconds=REFRESH_SECONDS if run.state in OPEN else 0,
        trail=[Cell(text="all studies", link="../")],
    )


def _value(value: float | None, metric: Metric) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if metric == PRIMARY else f"{value:.6g}"


def _facts(run: RunRow, metric: Metric) -> list[tuple[str, str]]:
    result = "none" if run.test_loss is None else f"{_value(run.test_loss, metric)} {metric.unit}"
    pace = "" if run.tokens_per_second is None else f"{run.tokens_per_second:,.0f} tokens/s"
    found = {
        "State": run.state,
        capitalized(harmless(metric.title)): harmless(result.strip()),
        "Cause": harmless(run.cause or ""),
        "Steps": "" if run.steps is None else f"{run.steps:,}",
        "Speed": pace,
        "Seeds": f"init {run.init_seed}, order {run.order_seed}, dropout {run.dropout_seed}",
        "Began": local_minute(run.started),
        "Ended": local_minute(run.finished),
        "Id": f"`{run.id}`",
    }
    return [(name, value) for name, value in found.items() if value]


def _curve(points: dict[int, float], title: str) -> Figure | None:
    if len(points) < 2:
        return None
    steps = sorted(points)
    shown = [*steps[: -1 : max(len(steps) // MAX_POINTS, 1)], steps[-1]]
    line = Line(points=[(float(step), points[step]) for step in shown], tone="arm")
    return Figure(
        title="Training curve",
        summary=f"From {points[steps[0]]:.4f} at step {steps[0]} to {points[steps[-1]]:.4f} at step "
        f"{steps[-1]}.",
        panels=[
            Panel(
                x=linear_axis(map(float, steps), "step", whole=True),
                y=linear_axis(points.values(), title),
                marks=[line],
                height=240.0,
            )
        ],
    )


def _log(store: Store, run: RunRow) -> str:
    """The end of what a run printed."""
    if store.ledger is None:
        return "The database has no folder of runs."
    try:
        with store.ledger.run(run.id).log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - MAX_LOG))
            text = file.read(MAX_LOG).decode("utf-8", "replace")
    except OSError as error:
        return f"There is no log ({error.strerror})."
    return text or "The run has printed nothing."
