"""Options that every command has, wherever they are typed: `--quiet` and `--debug`."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from typing import Annotated, Any

import typer

QUIET, DEBUG = "SWEEP_QUIET", "SWEEP_DEBUG"
"""Environment variables that say the same."""
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Print results and errors only.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")]
OPTIONS = {"quiet": QuietOption, "debug": DebugOption}


def note(*, quiet: bool, debug: bool) -> None:
    """Note what was asked for."""
    for variable, wanted in ((QUIET, quiet), (DEBUG, debug)):
        if wanted:
            os.environ[variable] = "1"


def add_common_options(app: typer.Typer) -> None:
    """Give each command of `app` these options. Typer reads them from the command's signature."""
    for command in app.registered_commands:
        known = inspect.signature(command.callback).parameters if command.callback else {}
        if command.callback and not OPTIONS.keys() <= known.keys():
            command.callback = _with_options(command.callback)


def _with_options(function: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(function, eval_str=True)
    if OPTIONS.keys() <= signature.parameters.keys():  # it has them already
        return function

    @functools.wraps(function)
    def call(*, quiet: bool, debug: bool, **arguments: Any) -> Any:  # noqa: ANN401  (any command)
        note(quiet=quiet, debug=debug)
        return function(**arguments)

    further = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=option)
        for name, option in OPTIONS.items()
    ]
    parameters = [*signature.parameters.values(), *further]
    call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {each.name: each.annotation for each in parameters}
    return call
