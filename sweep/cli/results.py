"""The command that takes in results from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from sweep.cli.app import app
from sweep.cli.options import RUNS, Database, Folder, make_console, open_workspace


@app.command(name="import")
def import_results(
    file: Annotated[Path, typer.Argument(help="CSV, JSON Lines or Parquet: arm, loss, seed ...")],
    study: Annotated[str, typer.Option(metavar="NAME", help="The study that it becomes.")],
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=COLUMN", help="Which column is what; repeatable."),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="ARM", help="What the others are compared with.")
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Largest chance of a false alarm; 0.05 if left out.")
    ] = None,
    correction: Annotated[
        Literal["holm", "bonferroni", "bh", "none"] | None,
        typer.Option(help="For the number of arms; holm if left out."),
    ] = None,
    smallest_effect: Annotated[
        float | None, typer.Option(help="The smallest one worth having; 0 if left out.")
    ] = None,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Make a study of results from elsewhere, to be judged as if it had been run here."""
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
