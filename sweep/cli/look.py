"""Commands that show studies, runs and the machine."""

from __future__ import annotations

from typing import Annotated

import typer

from sweep.cli import completion
from sweep.cli.app import app
from sweep.cli.options import (
    RUNS,
    Database,
    Folder,
    RunWord,
    StudyOption,
    StudyWord,
    TableOrJson,
    home_word,
    make_console,
    open_workspace,
)


@app.command()
def status(
    study: StudyWord = None, form: TableOrJson = "table", runs: Folder = RUNS, db: Database = None
) -> None:
    """Show how many runs of a study are in each state, and the errors of failed runs."""
    from sweep.commands.look import status as command

    raise typer.Exit(command(open_workspace(runs, db), study, make_console(), form))


@app.command()
def watch(
    study: StudyWord = None,
    once: Annotated[
        bool, typer.Option("--once", help="Print the display once; also without a terminal.")
    ] = False,
    form: TableOrJson = "table",
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Show the progress of a study, which another terminal or machine trains."""
    from sweep.commands.watch import WatchRequest
    from sweep.commands.watch import watch as command

    request = WatchRequest(study, once, form)
    raise typer.Exit(command(open_workspace(runs, db), request, make_console()))


@app.command(name="list")
def list_studies(form: TableOrJson = "table", runs: Folder = RUNS, db: Database = None) -> None:
    """List the studies in the folder of results."""
    from sweep.commands.studies import list_studies as command

    raise typer.Exit(command(open_workspace(runs, db), make_console(), form))


@app.command()
def show(
    word: Annotated[
        str,
        typer.Argument(
            metavar="RUN|ARM",
            help="A run's id, ARM/SEED, or an arm.",
            autocompletion=completion.runs_and_arms,
        ),
    ],
    study: StudyOption = None,
    form: TableOrJson = "table",
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Show a run or an arm: what it is, its result, its curve and where it comes from."""
    from sweep.commands.show import ShowRequest
    from sweep.commands.show import show as command

    request = ShowRequest(word, study, form)
    raise typer.Exit(command(open_workspace(runs, db), request, make_console()))


@app.command()
def compare(
    first: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="A run, an arm, or a study.",
            autocompletion=completion.anything,
            parser=home_word,
        ),
    ],
    second: Annotated[
        str,
        typer.Argument(
            metavar="B",
            help="Another one of the same kind.",
            autocompletion=completion.anything,
            parser=home_word,
        ),
    ],
    study: StudyOption = None,
    form: TableOrJson = "table",
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Show where two runs, arms or studies differ: recipe, loss, curve, gradients, text."""
    from sweep.commands.compare import CompareRequest, compare_two

    request = CompareRequest(first, second, study, form)
    raise typer.Exit(compare_two(open_workspace(runs, db), request, make_console()))


@app.command()
def log(
    run: RunWord,
    whole: Annotated[
        bool, typer.Option("--all", help="Show all lines, not only the last ones.")
    ] = False,
    study: StudyOption = None,
    form: TableOrJson = "table",
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Show how the attempts at a run ended, and what it printed."""
    from sweep.commands.look import LogRequest
    from sweep.commands.look import log as command

    request = LogRequest(run, study, whole, form)
    raise typer.Exit(command(open_workspace(runs, db), request, make_console()))


@app.command()
def doctor(form: TableOrJson = "table", runs: Folder = RUNS, db: Database = None) -> None:
    """Check this machine, and say how to fix what does not work."""
    from sweep.commands.doctor import doctor as command

    raise typer.Exit(command(open_workspace(runs, db), make_console(), form))
