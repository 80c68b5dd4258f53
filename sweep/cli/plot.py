"""The command that draws figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from analysis.pictures.sizes import SIZES
from sweep.cli.app import app
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
