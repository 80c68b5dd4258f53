"""Commands that prepare, list and remove corpora."""

from __future__ import annotations

from typing import Annotated

import typer

from sweep.cli.app import app
from sweep.cli.group import Group
from sweep.cli.options import (
    RUNS,
    Database,
    Folder,
    OverrideOption,
    StudyFile,
    TableOrJson,
    home_word,
    make_console,
    open_workspace,
    read_overrides,
)

data = typer.Typer(
    cls=Group,
    help="Prepare, list and remove encoded corpora.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(data, name="data")


@data.command()
def prepare(study: StudyFile, override: OverrideOption = None, runs: Folder = RUNS) -> None:
    """Prepare the corpora of a study: write their token files."""
    from sweep.commands.data import prepare as command

    workspace = open_workspace(runs, None)
    raise typer.Exit(
        command(workspace, workspace.named_file(study), read_overrides(override), make_console())
    )


@data.command(name="list")
def list_corpora(
    form: TableOrJson = "table",
    runs: Folder = RUNS,
) -> None:
    """List the prepared corpora: size, tokens, documents, hash."""
    from sweep.commands.data import list_corpora as command

    raise typer.Exit(command(open_workspace(runs, None), form, make_console()))


@data.command()
def remove(
    corpus: Annotated[
        str, typer.Argument(metavar="CORPUS", parser=home_word, help="A folder, name or hash.")
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Remove it even if runs still need it.")
    ] = False,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Remove the token files of a corpus."""
    from sweep.commands.data import remove as command

    raise typer.Exit(command(open_workspace(runs, db), corpus, make_console(), force=force))
