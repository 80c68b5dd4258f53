"""Commands that only look."""

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
    """Show how far a study is, and what went wrong."""
    from sweep.commands.look import status as command

    raise typer.Exit(command(open_workspace(runs, db), study, make_console()))


@app.command(name="list")
def list_studies(runs: Folder = RUNS, db: Database = None) -> None:
    """List the studies that were run here."""
    from sweep.commands.look import list_studies as command

    raise typer.Exit(command(open_workspace(runs, db), make_console()))


@app.command()
def show(run: RunWord, study: StudyOption = None, runs: Folder = RUNS, db: Database = None) -> None:
    """Show everything that is known of a run."""
    from sweep.commands.look import show as command

    raise typer.Exit(command(open_workspace(runs, db), run, study, make_console()))


@app.command()
def log(
    run: RunWord,
    whole: Annotated[bool, typer.Option("--all", help="Not only the last lines.")] = False,
    study: StudyOption = None,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Show what a run printed and how its attempts ended."""
    from sweep.commands.look import LogRequest
    from sweep.commands.look import log as command

    request = LogRequest(run, study, whole)
    raise typer.Exit(command(open_workspace(runs, db), request, make_console()))


@app.command()
def doctor(runs: Folder = RUNS, db: Database = None) -> None:
    """Examine this machine: what works, and what to do about what does not."""
    from sweep.commands.doctor import doctor as command

    raise typer.Exit(command(open_workspace(runs, db), make_console()))
