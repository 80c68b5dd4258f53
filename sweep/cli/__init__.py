"""The command line. Imports little: what a command needs is imported when it is called."""

from __future__ import annotations

import gc
import os
import sys
from io import TextIOWrapper

from sweep.cli import study, results, control, look, data, models, upkeep  # isort: skip  (in the order in which help lists them)
from sweep.cli.app import app
from sweep.cli.options import make_console
from sweep.errors import RunnerLostError
from trainer.errors import UserError
from trainer.files import FULL

__all__ = ["app", "control", "data", "look", "main", "models", "results", "study", "upkeep"]

EXIT_FAILED = 1
EXIT_WRONG = 2
EXIT_INTERRUPTED = 130


def main() -> None:
    """The console script: a command, with errors as sentences."""
    # What a command reads lives until it ends: looking for garbage among it after every 700 objects,
    # as Python does, takes a tenth of the time of a large report.
    gc.set_threshold(100_000)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # it is closed, or a test's, otherwise
            stream.reconfigure(errors="replace")  # a terminal that has no minus sign shows "?"
    try:
        app()
    except Exception as error:
        if os.environ.get("SWEEP_DEBUG"):
            raise
        sys.exit(_tell(error))
    except KeyboardInterrupt:
        print("Stopped. What is finished is kept; the same command continues.", file=sys.stderr)  # noqa: T201  (the command line's own voice)
        sys.exit(EXIT_INTERRUPTED)


def _tell(error: Exception) -> int:
    """Print what went wrong on standard error; the exit status."""
    if isinstance(error, BrokenPipeError):  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    from sweep.terminal.console import say

    console = make_console(stderr=True)
    if isinstance(error, UserError):
        say(console, f"sweep: {error}")
        return EXIT_FAILED if isinstance(error, RunnerLostError) else EXIT_WRONG
    if isinstance(error, OSError) and error.filename is not None:
        say(console, f"sweep: {error.filename}: {error.strerror}")
        return EXIT_WRONG
    if isinstance(error, OSError) and error.errno in FULL:
        say(console, f"sweep: what is printed goes to a full disk: {error.strerror}")
        return EXIT_FAILED
    say(
        console,
        f"sweep: this is a bug in sweep, not in your study: {type(error).__name__}: {error}\n"
        "`sweep --debug ...` shows where; please report it with that.",
    )
    return EXIT_FAILED
