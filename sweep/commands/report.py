"""`sweep report`: the verdicts, any time, in any format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from rich.console import Console
from sqlalchemy import RowMapping

from sweep.commands.report_text import footnotes, preamble
from sweep.console import say
from sweep.report import make_report, table_rows
from sweep.store import Store
from sweep.workspace import Workspace
from trainer.errors import UserError
from trainer.files import write_whole

Format = Literal["table", "md", "csv", "json"]


def report(
    workspace: Workspace, word: str | None, form: Format, output: Path | None, console: Console
) -> int:
    """Print the verdicts on a study, or write them to `output`; the exit status."""
    store = workspace.open()
    study = store.study(workspace.study_name(word))
    if form == "table" and output is None:
        print_report(store, study, console)
        return 0
    publish(_text(store, study, form), output, console)
    return 0


def publish(text: str, output: Path | None, console: Console) -> None:
    """Print a text as it is, or write it to a file, whole. Raises UserError."""
    if output is None:
        console.file.write(text)
        return
    try:
        write_whole(output, text.encode())
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error.strerror}") from error
    say(console, f"Written to {output}.")


def print_report(store: Store, study: RowMapping, console: Console) -> None:
    """The table for a terminal, with what must be known to read it."""
    from analysis.table import rich_table, verdict_columns  # noqa: PLC0415  (brings numpy)

    result = make_report(store, study)
    content = result.as_dict()
    for line in preamble(result):
        say(console, line)
    columns = verdict_columns(1 - result.analysis["alpha"])
    console.print(rich_table(columns, table_rows(content), console.width))
    for line in footnotes(result, content):
        say(console, line)


def _text(store: Store, study: RowMapping, form: Format) -> str:
    from analysis.table import (  # noqa: PLC0415  (brings numpy)
        csv_table,
        markdown_table,
        rich_table,
        verdict_columns,
    )

    result = make_report(store, study)
    content = result.as_dict()
    rows = table_rows(content)
    columns = verdict_columns(1 - result.analysis["alpha"])
    if form == "json":
        return json.dumps(content, indent=1, allow_nan=False) + "\n"
    if form == "csv":
        return csv_table(rows)
    above, below = preamble(result), footnotes(result, content)
    if form == "md":
        table = markdown_table(columns, rows)
        return "\n\n".join(["\n".join(above), table.strip(), *below]) + "\n"
    plain = Console(width=120, no_color=True, force_terminal=False)
    with plain.capture() as captured:
        plain.print(rich_table(columns, rows, 120))
    return "\n".join([*above, captured.get(), *below]) + "\n"
