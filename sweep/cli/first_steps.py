"""Commands that write a study file, and that train a single run without one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sweep.cli.app import app
from sweep.cli.numbers import Range, number_option
from sweep.cli.options import TableOrJson, home_path, make_console


@app.command()
def train(
    directory: Annotated[
        Path, typer.Argument(metavar="RUN_DIR", help="A folder with a recipe.json.")
    ],
    device: Annotated[
        str | None,
        typer.Option(help="cpu, cuda or cuda:N; a GPU, if there is one, if left out."),
    ] = None,
    threads: Annotated[
        int | None, number_option(Range(int, 1, 2**20), "CPU threads; all cores if left out")
    ] = None,
) -> None:
    """Train the folder of a single run, without a study or a database."""
    from sweep.commands.train import train as command

    command(directory, device, threads)


@app.command()
def init(
    study: Annotated[
        Path | None,
        typer.Argument(
            metavar="[STUDY]",
            parser=home_path,
            help="The file to write; with --command, the script's name if left out.",
        ),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND", help="The command that trains your own script once, in quotes."
        ),
    ] = None,
    known: Annotated[
        str | None,
        typer.Option(
            "--with",
            metavar="NAMES",
            help="Known interventions, such as rope,swiglu; `sweep interventions` lists them.",
        ),
    ] = None,
) -> None:
    """Write a commented study file to start from; with --command, for a script of your own."""
    from sweep.commands.init import init as write

    names = [name.strip() for name in (known or "").split(",") if name.strip()]
    raise typer.Exit(write(study, make_console(), command, names))


@app.command()
def interventions(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WORDS]...", help="Show those that have all of these words."),
    ] = None,
    form: TableOrJson = "table",
) -> None:
    """List changes that people try: reason, source, and lines to paste into a study file."""
    from sweep.commands.interventions import interventions as command

    raise typer.Exit(command(words or [], make_console(), form))
