"""Commands that show studies, runs and the machine."""

from __future__ import annotations

from typing import Annotated

import typer

from sweep.cli.app import app
from sweep.cli.options import (
    RUNS,
    Database,
    Folder,
    RunWord,
    StudyOption,
    StudyWord,
    make_console,
    open_workspace,
)


@app.command()
def status(study: StudyWord = None, runs: Folder = RUNS, db: Database = None) -> None:
    """Show how many runs of a study are in each state, and the errors of failed runs."""
    from sweep.commands.look import status as command

    raise typer.Exit(command(open_workspace(runs, db), study, make_console()))


@app.command()
def watch(
    study: StudyWord = None,
    once: Annotated[
        bool, typer.Option("--once", help="Print the display once; also without a terminal.")
    ] = False,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Show the progress of a study that another terminal or machine trains."""
    from sweep.commands.watch import watch as command

    raise typer.Exit(command(open_workspace(runs, db), study, make_console(), once=once))


@app.command(name="list")
def list_studies(runs: Folder = RUNS, db: Database = None) -> None:
    """List the studies in the folder of results."""
    from sweep.commands.look import list_studies as command

    raise typer.Exit(command(open_workspace(runs, db), make_console()))


@app.command()
def show(run: RunWord, study: StudyOption = None, runs: Folder = RUNS, db: Database = None) -> None:
    """Show everything that is known about a run."""
    from sweep.commands.look import show as command

    raise typer.Exit(command(open_workspace(runs, db), run, study, make_console()))


@app.command()
def log(
    run: RunWord,
    whole: Annotated[
        bool, typer.Option("--all", help="Show all lines, not only the last ones.")
    ] = False,
    study: StudyOption = None,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Show how the attempts at a run ended, and what it printed."""
    from sweep.commands.look import LogRequest
    from sweep.commands.look import log as command

    request = LogRequest(run, study, whole)
    raise typer.Exit(command(open_workspace(runs, db), request, make_console()))


@app.command()
def doctor(runs: Folder = RUNS, db: Database = None) -> None:
    """Check this machine, and say how to fix what does not work."""
    from sweep.commands.doctor import doctor as command

    raise typer.Exit(command(open_workspace(runs, db), make_console()))
