"""Commands that look after what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sweep.cli.app import app
from sweep.cli.options import RUNS, Database, Folder, make_console, open_workspace


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; not there yet.")],
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Copy the database, also while runs are being recorded."""
    from sweep.commands.upkeep import backup as command  # noqa: PLC0415

    raise typer.Exit(command(open_workspace(runs, db), target, make_console()))


@app.command()
def rebuild(runs: Folder = RUNS, db: Database = None) -> None:
    """Make a lost or damaged database anew from the run directories."""
    from sweep.commands.upkeep import rebuild as command  # noqa: PLC0415

    raise typer.Exit(command(open_workspace(runs, db), make_console()))
