"""`sweep report`: the verdicts, any time, in any format."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from sweep.reports.document import Document, Table, print_document
from sweep.reports.formats import Format
from sweep.reports.verdict_columns import verdict_columns
from sweep.reports.verdict_text import footnotes, preamble
from sweep.store.rows import StudyRow
from sweep.store.store import Store
from sweep.verdicts.judge import make_report, table_rows
from sweep.workspace import Workspace


def report(
    workspace: Workspace, word: str | None, form: Format, output: Path | None, console: Console
) -> int:
    """Print the verdicts on a study, or write them to `output`; the exit status."""
    store = workspace.open()
    study = store.study(workspace.study_name(word))
    print_document(_document(store, study), form, output, console)
    return 0


def print_report(store: Store, study: StudyRow, console: Console) -> None:
    """The table for a terminal, with what must be known to read it."""
    print_document(_document(store, study), "table", None, console)


def _document(store: Store, study: StudyRow) -> Document:
    result = make_report(store, study)
    content = result.as_dict()
    rows = table_rows(content)
    table = Table(verdict_columns(1 - result.analysis.alpha), rows)
    return Document(
        content=content,
        records=rows,
        parts=[*preamble(result), table, *footnotes(result, content)],
    )
