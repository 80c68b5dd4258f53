"""Commands that steer what another terminal trains."""

from __future__ import annotations

from typing import Annotated

import typer

from sweep.cli.app import app
from sweep.cli.options import (
    RUNS,
    Database,
    Folder,
    StudyOption,
    StudyWord,
    make_console,
    open_workspace,
)

Runs = Annotated[
    str | None,
    typer.Argument(metavar="[RUN|ARM]", help="A run, or an arm; the whole study if left out."),
]
Meant = Annotated[
    str | None,
    typer.Argument(metavar="[RUN|ARM]", help="A run, or an arm; with --study alone, all of it."),
]


@app.command()
def cancel(
    word: Meant = None, study: StudyOption = None, runs: Folder = RUNS, db: Database = None
) -> None:
    """Have runs trained no further; `sweep retry` takes it back."""
    from sweep.commands.control import cancel as command

    raise typer.Exit(command(open_workspace(runs, db), word, study, make_console()))


@app.command()
def retry(
    word: Runs = None, study: StudyOption = None, runs: Folder = RUNS, db: Database = None
) -> None:
    """Queue again what has failed or was cancelled."""
    from sweep.commands.control import retry as command

    raise typer.Exit(command(open_workspace(runs, db), word, study, make_console()))


@app.command()
def pause(study: StudyWord = None, runs: Folder = RUNS, db: Database = None) -> None:
    """Have the runs of a study write a checkpoint and stop, until it is resumed."""
    from sweep.commands.control import pause as command

    raise typer.Exit(command(open_workspace(runs, db), study, make_console()))


@app.command()
def resume(study: StudyWord = None, runs: Folder = RUNS, db: Database = None) -> None:
    """Let a paused study go on."""
    from sweep.commands.control import resume as command

    raise typer.Exit(command(open_workspace(runs, db), study, make_console()))
