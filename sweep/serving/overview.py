"""The pages of `sweep serve`: all studies, one study with its runs, one run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from sweep.errors import NotFoundError, UserError
from sweep.figures.curve_data import TRAINING_LOSS
from sweep.figures.line import line_figure
from sweep.figures.source import Source
from sweep.metrics.metric import Metric
from sweep.metrics.registry import PRIMARY
from sweep.pages.page import Cell, Code, Facts, Page, PageFigure, PageTable, Part, Section
from sweep.reports.arm_page import arm_page
from sweep.reports.factsheets import arm_factsheet
from sweep.reports.page_parts import web_parts
from sweep.reports.search_text import search_document
from sweep.reports.verdict_page import search_page, verdict_page
from sweep.reports.verdict_text import report_document
from sweep.searching.curves import run_curves
from sweep.store.find_run import find_run
from sweep.store.places import StudyPlace, places_of_run
from sweep.store.plan_content import PlanContent
from sweep.store.rows import PlannedRun, RunRow, StudyRow
from sweep.store.states import OPEN, RunState
from sweep.store.store import Store
from sweep.terminal.printable import as_seen, harmless
from sweep.terminal.units import local_minute, shown_size
from sweep.verdicts.judge import make_report
from trainer.words import capitalized

REFRESH_SECONDS = 10
"""How often a page is loaded again while runs are open."""
MAX_RUNS = 2_000
"""Runs that the page of a study lists."""
MAX_LOG = 200_000
"""Bytes at the end of a log that are shown."""
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
    is_open, plan = any(each.run.state in OPEN for each in runs), store.plan(study)
    try:
        page = _report_page(store, study)
    except UserError as error:
        page = Page(title=harmless(study.name), warnings=[str(error)])
    return replace(
        page,
        sections=[
            *page.sections,
            *_arms_section(study.name, runs, plan),
            Section(title="Runs", parts=_runs_parts(runs, plan)),
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


def arm_page_of(store: Store, study: StudyRow, arm: str, folder: Path) -> Page:
    """What is known of an arm; `folder` is that of all runs. Raises UserError."""
    report = make_report(store, study)
    if arm not in {each.name for each in report.arms}:
        raise NotFoundError(f"study {study.name!r} has no arm {arm!r}")
    runs = store.study_runs(study.name, arm)
    first, *parts = arm_page(arm_factsheet(store, report, arm, folder))
    return Page(
        title=harmless(arm),
        lead=[str(first)],
        sections=[
            Section(title="Arm", parts=web_parts(parts, "Seeds, beside the baseline's")),
            Section(title="Runs", parts=_runs_parts(runs, store.plan(study), "../../../runs")),
        ],
        refresh_seconds=REFRESH_SECONDS if any(each.run.state in OPEN for each in runs) else 0,
        trail=[
            Cell(text="all studies", link="../../../"),
            Cell(text=harmless(study.name), link=f"../../{quote(study.name, safe='')}"),
        ],
    )


def _arms_section(study: str, runs: Sequence[PlannedRun], plan: PlanContent) -> list[Section]:
    """Links to the pages of arms; none for the trials of a search, which have no verdicts."""
    if plan.search is not None:
        return []
    every = Counter(each.arm for each in runs)
    done = Counter(each.arm for each in runs if each.run.state is RunState.DONE)
    folder = f"{quote(study, safe='')}/arms"
    table = PageTable(
        title="What each arm sets, how its verdict came, and its seeds",
        headers=["arm", "runs", "done"],
        numeric=[False, True, True],
        rows=[
            [
                Cell(text=harmless(arm), link=f"{folder}/{quote(arm, safe='')}"),
                Cell(text=str(number)),
                Cell(text=str(done[arm])),
            ]
            for arm, number in every.items()
        ],
    )
    return [Section(title="Arms", parts=[table])]


def _runs_parts(
    runs: Sequence[PlannedRun], plan: PlanContent, folder: str = "../runs"
) -> list[Part]:
    """The runs, with links to their pages in `folder`."""
    parts: list[Part] = [_runs_table(runs[:MAX_RUNS], _metric(plan), folder)]
    if len(runs) > MAX_RUNS:
        parts.append(f"These are the first {MAX_RUNS:,} of {len(runs):,} runs.")
    return parts


def _runs_table(runs: Sequence[PlannedRun], metric: Metric, folder: str) -> PageTable:
    return PageTable(
        title="Runs by arm and seed",
        headers=["run", "state", harmless(metric.title), "steps", "ended"],
        numeric=[False, False, True, True, False],
        rows=[
            [
                Cell(text=f"{each.arm}/{each.seed}", link=f"{folder}/{each.run.id}"),
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
    words = TRAINING_LOSS if metric == PRIMARY else harmless(metric.words)
    figure = line_figure(curve.items(), "Training curve", words)
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
        title=harmless(f"{places[0].arm}/{places[0].seed}") if places else f"Run {run.id[:12]}",
        sections=[
            Section(title="Result", parts=parts),
            *(
                [Section(title="Training curve", parts=[PageFigure(figure=figure)])]
                if figure
                else []
            ),
            Section(title="Attempts", parts=[attempts]),
            Section(title="Log", parts=_log_parts(store, run)),
        ],
        refresh_seconds=REFRESH_SECONDS if run.state in OPEN else 0,
        trail=[Cell(text="all studies", link="../"), *(_trail(places[0]) if places else [])],
    )


def _trail(place: StudyPlace) -> list[Cell]:
    """Links from a run to its study and its arm."""
    study = f"../studies/{quote(place.study, safe='')}"
    return [
        Cell(text=harmless(place.study), link=study),
        Cell(text=harmless(place.arm), link=f"{study}/arms/{quote(place.arm, safe='')}"),
    ]


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


def _log_parts(store: Store, run: RunRow) -> list[Part]:
    """The end of what a run printed, as a terminal shows it."""
    if store.ledger is None:
        return ["The database has no folder of runs."]
    try:
        with store.ledger.run(run.id).log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - MAX_LOG))
            text = file.read(MAX_LOG).decode("utf-8", "replace")
    except OSError as error:
        return [f"There is no log ({error.strerror})."]
    if not text:
        return ["The run has printed nothing."]
    if size > MAX_LOG:
        text = text.partition("\n")[2] or text  # a whole line is the first one
    code = Code(title="Output of the run", text="\n".join(as_seen(text)), from_end=True)
    if size <= MAX_LOG:
        return [code]
    where = f"`sweep log {run.id[:12]} --all` shows all"
    return [f"This is the end of {shown_size(size)}; {where}.", code]
