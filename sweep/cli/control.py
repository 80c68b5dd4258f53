"""Commands that control runs which another process trains."""

from __future__ import annotations

from typing import Annotated

import typer

from sweep.cli import completion
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

AllRuns = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN|ARM]",
        help="A run or an arm; the whole study if left out.",
        autocompletion=completion.runs_and_arms,
    ),
]
NamedRuns = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN|ARM]",
        help="A run or an arm; all runs of --study if left out.",
        autocompletion=completion.runs_and_arms,
    ),
]


@app.command()
def cancel(
    word: NamedRuns = None, study: StudyOption = None, runs: Folder = RUNS, db: Database = None
) -> None:
    """Cancel runs; `sweep retry` queues them again."""
    from sweep.commands.control import cancel as command

    raise typer.Exit(command(open_workspace(runs, db), word, study, make_console()))


@app.command()
def retry(
    word: AllRuns = None, study: StudyOption = None, runs: Folder = RUNS, db: Database = None
) -> None:
    """Queue failed and cancelled runs again."""
    from sweep.commands.control import retry as command

    raise typer.Exit(command(open_workspace(runs, db), word, study, make_console()))


@app.command()
def pause(study: StudyWord = None, runs: Folder = RUNS, db: Database = None) -> None:
    """Pause a study: its runs write a checkpoint and stop."""
    from sweep.commands.control import pause as command

    raise typer.Exit(command(open_workspace(runs, db), study, make_console()))


@app.command()
def resume(study: StudyWord = None, runs: Folder = RUNS, db: Database = None) -> None:
    """Resume a paused study."""
    from sweep.commands.control import resume as command

    raise typer.Exit(command(open_workspace(runs, db), study, make_console()))
