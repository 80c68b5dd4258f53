"""The typer application, to which the other modules add their commands."""

from __future__ import annotations

import platform
from typing import Annotated

import typer

from sweep.cli.common import DebugOption, QuietOption, note
from sweep.cli.group import Group

DISTRIBUTION = "gpt-sweep"
HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    name="sweep",
    cls=Group,
    help="Which changes to a GPT training run are real? Trains each with several seeds and tests them.",
    epilog="`sweep COMMAND --help` shows the options of a command, and an example.",
    no_args_is_help=True,
    context_settings=HELP_OPTIONS,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            found = version(DISTRIBUTION)
        except PackageNotFoundError:
            found = "(a checkout that is not installed)"
        typer.echo(f"sweep {found}, Python {platform.python_version()}")
        raise typer.Exit


@app.callback()
def options(
    quiet: QuietOption = False,
    debug: DebugOption = False,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    note(quiet=quiet, debug=debug)
