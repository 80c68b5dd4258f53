"""The commands that draw figures, and show studies in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from analysis.pictures.sizes import SIZES
from sweep.cli.app import app
from sweep.cli.numbers import Range, number_option
from sweep.cli.options import (
    RUNS,
    Database,
    Folder,
    StudyWord,
    home_path,
    make_console,
    open_workspace,
)
from sweep.figures.registry import FIGURES

if TYPE_CHECKING:
    Kind: TypeAlias = str
    SizeName: TypeAlias = str
else:
    Kind = Literal[tuple(FIGURES)]
    SizeName = Literal[tuple(SIZES)]


@app.command()
def plot(
    kind: Annotated[
        Kind, typer.Argument(metavar="KIND", help=f"What it shows: {', '.join(FIGURES)}.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            parser=home_path,
            help="Its suffix: .svg, .png or .pdf.",
        ),
    ],
    study: StudyWord = None,
    size: Annotated[
        SizeName, typer.Option(help="What it is for: a column or the width of a page, or a slide.")
    ] = "page",
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Write one figure of a study to a file."""
    from sweep.commands.plot import PlotRequest
    from sweep.commands.plot import plot as command

    request = PlotRequest(kind=kind, output=output, study=study, size=size)
    raise typer.Exit(command(open_workspace(runs, db), request, make_console()))


@app.command()
def serve(
    port: Annotated[
        int, number_option(Range(int, 0, 65_535), "Port on this machine; 0 for any free one")
    ] = 0,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Show all studies of a folder in a browser, on this machine only."""
    from sweep.commands.serve import ServeRequest
    from sweep.commands.serve import serve as command

    raise typer.Exit(command(open_workspace(runs, db), ServeRequest(port=port), make_console()))
