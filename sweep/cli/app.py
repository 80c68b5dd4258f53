"""The typer application, to which the other modules add their commands."""

from __future__ import annotations

import os
from typing import Annotated

import typer

app = typer.Typer(
    name="sweep",
    help="Which changes to a GPT training run are real? Trains each with several seeds and tests them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    if debug:
        os.environ["SWEEP_DEBUG"] = "1"
