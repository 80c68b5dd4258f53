"""`sweep report`: print the verdicts on a study in any format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from sweep.errors import ResultsError
from sweep.figures.source import Source
from sweep.judging.summary import JudgedStudy, read_judged
from sweep.metrics.registry import SCORES
from sweep.reports.cost_text import with_costs
from sweep.reports.document import Document, print_document
from sweep.reports.formats import DEFAULT_FORMAT, Format
from sweep.reports.judged_text import with_judged
from sweep.reports.search_text import search_document
from sweep.reports.verdict_page import with_page, with_search_page
from sweep.reports.verdict_text import report_document
from sweep.store.rows import StudyRow
from sweep.store.store import Store
from sweep.verdicts.analysis_plan import NO_QUESTIONS, Questions
from sweep.verdicts.details import find_details
from sweep.verdicts.judge import Report, make_report
from sweep.verdicts.test_text import MAX_RUNS
from sweep.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class ReportRequest:
    """The arguments of `sweep report`."""

    study: str | None = None
    form: Format = DEFAULT_FORMAT
    output: Path | None = None
    questions: Questions = NO_QUESTIONS
    details: bool = False
    """True for further tests below the table. JSON of studies with `MAX_RUNS` runs or fewer always
    has them."""
    costs: bool = False
    """True for what each arm costs, below the table. JSON has it as it has `details`, the page always."""


def report(workspace: Workspace, request: ReportRequest, console: Console) -> int:
    """Print the verdicts on a study, or write them to a file. Returns the exit status.

    Raises ResultsError for a question with an impossible value.
    """
    store = workspace.open_to_read()
    study = store.study(workspace.study_name(request.study))
    if store.plan(study).search is not None:
        return _report_search(Source(store, study), request, console)
    try:
        made = make_report(store, study, request.questions)
    except ValueError as error:
        raise ResultsError(f"--{error}") from error
    is_small = len(made.evidence.frame) <= MAX_RUNS
    in_json = request.form == "json" and is_small
    details = find_details(store, study, made) if request.details or in_json else None
    source = Source(store, study, made)
    document = report_document(made, details, source.tuning)
    if in_json or (request.costs and request.form != "html"):  # a page has them anyway
        document = with_costs(document, made, source.costs)
    document = with_judged(document, _judged(store, made))
    if request.form == "html":
        document = with_page(document, source, store.arms(study.name))
    print_document(document, request.form, request.output, console)
    return 0


def _report_search(source: Source, request: ReportRequest, console: Console) -> int:
    """Print the trials of a search: they are no arms that a verdict could be about."""
    result = source.tuning.result
    assert result is not None  # noqa: S101  (for the type checker: the plan has a search)
    document = search_document(result)
    if request.form == "html":
        document = with_search_page(document, source)
    print_document(document, request.form, request.output, console)
    return 0


def _judged(store: Store, made: Report) -> JudgedStudy | None:
    """What a judge's scores say beside their means; None if the report is on another metric."""
    if made.metric.name not in SCORES:
        return None
    baseline, alpha = made.arms[0].name, made.analysis.alpha
    return read_judged(store, made.study, made.metric.name, baseline, alpha)


def print_report(store: Store, study: StudyRow, console: Console) -> None:
    """Print the verdicts on a study as a table for a terminal."""
    print_document(made_document(store, study), DEFAULT_FORMAT, None, console)


def print_metric(
    store: Store, study: StudyRow, metric: str, form: Format, output: Path | None, console: Console
) -> None:
    """Print the verdicts on a study by one of its metrics, or write them to a file."""
    made = make_report(store, study, Questions(metric=metric))
    document = report_document(made, tuning=Source(store, study, made).tuning)
    document = with_judged(document, _judged(store, made))
    print_document(document, form, output, console)


def made_document(store: Store, study: StudyRow) -> Document:
    """The verdicts on a study as a document."""
    source = Source(store, study)
    return report_document(source.report, tuning=source.tuning)
