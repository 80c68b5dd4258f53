"""`sweep report`: print the verdicts on a study in any format."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from sweep.reports.document import print_document
from sweep.reports.formats import DEFAULT_FORMAT, Format
from sweep.reports.verdict_text import report_document
from sweep.store.rows import StudyRow
from sweep.store.store import Store
from sweep.verdicts.judge import make_report
from sweep.workspace import Workspace


def report(
    workspace: Workspace, word: str | None, form: Format, output: Path | None, console: Console
) -> int:
    """Print the verdicts on a study, or write them to `output`. Returns the exit status."""
    store = workspace.open_to_read()
    study = store.study(workspace.study_name(word))
    print_document(report_document(make_report(store, study)), form, output, console)
    return 0


def print_report(store: Store, study: StudyRow, console: Console) -> None:
    """Print the verdicts on a study as a table for a terminal."""
    print_document(report_document(make_report(store, study)), DEFAULT_FORMAT, None, console)
