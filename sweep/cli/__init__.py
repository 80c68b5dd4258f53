"""The command line. It imports little: a command imports what it needs when it is called."""

from __future__ import annotations

import gc
import os
import sys

from sweep.cli import study, first_steps, plot, results, control, look, data  # isort: skip  (in the order
from sweep.cli import models, judging, studies, upkeep  # isort: skip  in which help lists them)
from sweep.cli.app import app
from sweep.cli.common import DEBUG, add_common_options
from sweep.cli.examples import add_examples
from sweep.cli.options import make_console
from sweep.errors import RunnerLostError
from sweep.terminal.output import drop_output, make_output_last
from trainer.errors import UserError
from trainer.files import FULL

__all__ = [
    "app",
    "control",
    "data",
    "first_steps",
    "judging",
    "look",
    "main",
    "models",
    "plot",
    "results",
    "studies",
    "study",
    "upkeep",
]

GROUPS = {"": app, "data ": data.data, "study ": studies.study}
"""The groups of commands, by the words above them."""
for above, group in GROUPS.items():
    add_examples(group, above)
    add_common_options(group)

NOT_UTF_8 = "surrogates not allowed"
"""Python's words for a text that came from other bytes than those of UTF-8."""
EXIT_FAILED = 1
EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130


def main() -> None:
    """Run a command, and print errors as sentences: the console script `sweep`."""
    # The objects that a command reads live until it ends. Python's default, a collection after every
    # 700 new objects, takes a tenth of the time of a large report.
    gc.set_threshold(100_000)
    make_output_last()
    try:
        app()
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        sys.exit(_print_error(error))
    except KeyboardInterrupt:
        print("Stopped. Finished runs are kept; the same command continues.", file=sys.stderr)  # noqa: T201  (the console may be broken)
        sys.exit(EXIT_INTERRUPTED)


def _word_of_bytes(words: list[str]) -> str | None:
    """The first word of a command line that is not UTF-8: Python reads its bytes as surrogates."""
    return next((word for word in words if any("\ud800" <= c <= "\udfff" for c in word)), None)


def _print_error(error: Exception) -> int:
    """Print an error on standard error; returns the exit status."""
    from sweep.terminal.console import say

    console = make_console(stderr=True)
    if isinstance(error, UserError):
        say(console, f"sweep: {error}")
        return EXIT_FAILED if isinstance(error, RunnerLostError) else EXIT_USER_ERROR
    if NOT_UTF_8 in str(error) and (word := _word_of_bytes(sys.argv)):
        say(
            console,
            f"sweep: {word!r} is not UTF-8 text, as all names of studies, runs and tasks are",
        )
        return EXIT_USER_ERROR
    if isinstance(error, OSError) and error.filename is not None:
        say(console, f"sweep: {error.filename}: {error.strerror}")
        return EXIT_USER_ERROR
    if isinstance(error, OSError) and error.errno in FULL:
        say(console, f"sweep: the output cannot be written, its disk is full: {error.strerror}")
        if sys.stdout:
            drop_output(sys.stdout.fileno())
        return EXIT_FAILED
    say(
        console,
        f"sweep: this is a bug in sweep, not in your study: {type(error).__name__}: {error}\n"
        "`sweep --debug ...` shows where; please report it with that.",
    )
    return EXIT_FAILED
