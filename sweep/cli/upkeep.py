"""Commands that back up, rebuild and clean up the stored results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sweep.cli.app import app
from sweep.cli.options import (
    RUNS,
    Database,
    Folder,
    TableOrJson,
    home_path,
    make_console,
    open_workspace,
)


@app.command()
def backup(
    target: Annotated[
        Path, typer.Argument(metavar="FILE", parser=home_path, help="The file to create.")
    ],
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Copy the database, even while runs are being recorded."""
    from sweep.commands.upkeep import backup as command

    raise typer.Exit(command(open_workspace(runs, db), target, make_console()))


@app.command()
def rebuild(runs: Folder = RUNS, db: Database = None) -> None:
    """Create a lost or damaged database again, from the run directories."""
    from sweep.commands.upkeep import rebuild as command

    raise typer.Exit(command(open_workspace(runs, db), make_console()))


@app.command()
def gc(
    weights: Annotated[
        bool, typer.Option("--weights", help="Also remove weights of finished runs.")
    ] = (False),
    weights_of: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STUDY", help="Also remove weights that only this study uses; repeatable."
        ),
    ] = None,
    corpora: Annotated[
        bool, typer.Option("--corpora", help="Also remove token files that no run reads.")
    ] = False,
    unknown: Annotated[
        bool,
        typer.Option("--unknown", help="Also remove run directories that are not in the database."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would be removed; remove nothing.")
    ] = False,
    form: TableOrJson = "table",
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Remove files that are no longer needed, and print how much space that freed."""
    from sweep.commands.gc import GcRequest
    from sweep.commands.gc import gc as command
    from sweep.upkeep.garbage import GarbageKind

    asked = {
        GarbageKind.WEIGHTS: weights,
        GarbageKind.CORPORA: corpora,
        GarbageKind.UNKNOWN: unknown,
    }
    kinds = frozenset(kind for kind, wanted in asked.items() if wanted)
    request = GcRequest(kinds=kinds, studies=weights_of or (), dry_run=dry_run, form=form)
    raise typer.Exit(command(open_workspace(runs, db), request, make_console()))
