"""The command that imports results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from sweep.cli.app import app
from sweep.cli.options import RUNS, Database, Folder, make_console, open_workspace


@app.command(name="import")
def import_results(
    file: Annotated[Path, typer.Argument(help="CSV, JSON Lines or Parquet: arm, loss, seed ...")],
    study: Annotated[str, typer.Option(metavar="NAME", help="Name of the new study.")],
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=COLUMN", help="The column that holds a field; repeatable."),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="ARM", help="The arm that the others are compared with.")
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Significance level; 0.05 if left out.")
    ] = None,
    correction: Annotated[
        Literal["holm", "bonferroni", "bh", "none"] | None,
        typer.Option(help="Correction for multiple comparisons; holm if left out."),
    ] = None,
    smallest_effect: Annotated[
        float | None, typer.Option(help="Smallest effect of interest; 0 if left out.")
    ] = None,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Import results of other programs as a study, for `sweep report` and `sweep noise`."""
    from sweep.commands.import_ import ImportRequest
    from sweep.commands.import_ import import_results as command
    from sweep.importing.columns import parse_columns
    from sweep.importing.settings import Settings

    settings = Settings(
        baseline=baseline, alpha=alpha, correction=correction, smallest_effect=smallest_effect
    )
    columns = parse_columns(column or [])
    request = ImportRequest(file=file, study=study, columns=columns, settings=settings)
    raise typer.Exit(command(open_workspace(runs, db), request, make_console()))
