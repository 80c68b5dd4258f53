"""Commands that keep studies in order."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sweep.cli import completion
from sweep.cli.app import app
from sweep.cli.group import Group
from sweep.cli.options import (
    RUNS,
    Database,
    Folder,
    TableOrJson,
    home_word,
    make_console,
    open_workspace,
)

study = typer.Typer(
    cls=Group,
    help="List, rename and delete studies, and keep notes and tags on them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(study, name="study")

NamedStudy = Annotated[
    str,
    typer.Argument(
        metavar="STUDY",
        parser=home_word,
        help="A study's file or name.",
        autocompletion=completion.studies,
    ),
]


@study.command(name="list")
def list_studies(form: TableOrJson = "table", runs: Folder = RUNS, db: Database = None) -> None:
    """List the studies in the folder of results, with their tags and notes."""
    from sweep.commands.studies import list_studies as command

    raise typer.Exit(command(open_workspace(runs, db), make_console(), form))


@study.command()
def rename(
    word: NamedStudy,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new name.")],
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Give a study another name; its runs and verdicts stay."""
    from sweep.commands.studies import rename as command

    raise typer.Exit(command(open_workspace(runs, db), word, name, make_console()))


@study.command()
def delete(
    word: NamedStudy,
    with_runs: Annotated[
        bool,
        typer.Option("--with-runs", help="Also delete its runs that no other study has."),
    ] = False,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Ask nothing.")] = False,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Delete a study, and say which of its runs stay."""
    from sweep.commands.studies import DeleteRequest
    from sweep.commands.studies import delete as command

    request = DeleteRequest(study=word, with_runs=with_runs, yes=yes, confirm=_confirm)
    raise typer.Exit(command(open_workspace(runs, db), request, make_console()))


def _confirm(question: str) -> bool:
    """Ask on a terminal. Raises BadParameter if there is none."""
    if not sys.stdin.isatty():
        raise typer.BadParameter(
            "there is no terminal to ask on; --yes deletes it without a question"
        )
    return typer.confirm(question)


@study.command()
def note(
    word: NamedStudy,
    text: Annotated[
        str | None,
        typer.Argument(metavar="[TEXT]", help="The note; empty to remove it; printed if left out."),
    ] = None,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Write a note on a study, or print it."""
    from sweep.commands.studies import note as command

    raise typer.Exit(command(open_workspace(runs, db), word, text, make_console()))


@study.command()
def tag(
    word: NamedStudy,
    tags: Annotated[
        list[str] | None, typer.Argument(metavar="[TAG]...", help="Printed if left out.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove these tags.")] = False,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Add tags to a study, remove them, or print them."""
    from sweep.commands.studies import tag as command

    raise typer.Exit(
        command(open_workspace(runs, db), word, tags or [], make_console(), remove=remove)
    )
