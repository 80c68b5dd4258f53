"""Options and arguments that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from sweep.cli import completion
from sweep.cli.common import QUIET
from sweep.reports.formats import Format, file_suffixes, format_of_file
from sweep.study.executor_names import ExecutorName
from sweep.study.tracker_names import TrackerName

if TYPE_CHECKING:
    from rich.console import Console

    from sweep.commands.executor_choice import ExecutorChoice
    from sweep.study.overrides import Overrides
    from sweep.workspace import Workspace


def home_path(word: str | Path) -> Path:
    """Return the path that a word stands for: `~` is the user's home, which no shell expands in
    `--runs=~/x`.
    """
    return Path(home_word(str(word)))


def home_word(word: str) -> str:
    """Return a word that may be a path, with the user's home for `~`."""
    return os.path.expanduser(word)  # noqa: PTH111  (leaves all other words as they are)


def tracker_name(word: str) -> str:
    """Return the word if it names a tracker. Raises typer.BadParameter."""
    names = get_args(TrackerName)
    if word not in names:
        raise typer.BadParameter(f"{word!r} is not one of {', '.join(names)}")
    return word


Folder = Annotated[
    Path,
    typer.Option("--runs", metavar="DIR", parser=home_path, help="The folder of results."),
]
Database = Annotated[
    str | None, typer.Option("--db", metavar="URL", help="A database other than DIR/sweep.db.")
]
Slots = Annotated[
    int | None,
    typer.Option(metavar="N", help="Runs at the same time; one per GPU or core if left out."),
]
ExecutorOption = Annotated[
    ExecutorName | None,
    typer.Option(
        "--executor", help="Where runs are executed, instead of jobs.executor of the study."
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Run on this Ray cluster; the one of this machine if left out (--executor ray).",
    ),
]
OverrideOption = Annotated[
    list[str] | None,
    typer.Option(
        "--override", metavar="KEY=VALUE", help="Set a baseline field for this command; repeatable."
    ),
]
FailFast = Annotated[bool, typer.Option("--fail-fast", help="Stop when a run fails for good.")]
StudyFile = Annotated[
    Path,
    typer.Argument(
        metavar="STUDY",
        parser=home_path,
        help="A study file, or the name of a study that was run here.",
        autocompletion=completion.studies,
    ),
]
StudyWord = Annotated[
    str | None,
    typer.Argument(
        metavar="[STUDY]",
        parser=home_word,
        help="A study's file or name; the one last run if left out.",
        autocompletion=completion.studies,
    ),
]
RunWord = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's id or its beginning, or ARM/SEED.",
        autocompletion=completion.runs,
    ),
]
StudyOption = Annotated[
    str | None,
    typer.Option(
        "--study",
        metavar="STUDY",
        parser=home_word,
        help="A study's file or name; the one last run if left out.",
        autocompletion=completion.studies,
    ),
]
FormatOption = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help=f"Format; if left out, by FILE's suffix ({', '.join(file_suffixes())}); else a table.",
    ),
]
TableOrJson = Annotated[
    Literal["table", "json"], typer.Option("--format", help="Format of the output.")
]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", parser=home_path, help="Write to a file."),
]
Track = Annotated[
    list[str] | None,
    typer.Option(
        "--track",
        metavar="TOOL",
        parser=tracker_name,
        help="Show the runs in tensorboard, wandb, mlflow or trackio; repeatable.",
    ),
]
RUNS = Path("runs")


def open_workspace(runs: Path, db: str | None) -> Workspace:
    """Return the workspace for `--runs` and `--db`."""
    from sweep.workspace import Workspace

    return Workspace(runs, db)


def chosen_format(form: Format | None, output: Path | None) -> Format:
    """Return the format given with `--format`, else that of the output file's suffix.

    Raises UserError for an unknown suffix.
    """
    return form or format_of_file(output)


def executor_choice(name: ExecutorName | None, ray_address: str | None) -> ExecutorChoice:
    """Return the choice of an executor for `--executor` and `--ray-address`.

    Raises typer.BadParameter if they contradict each other.
    """
    from sweep.commands.executor_choice import ExecutorChoice

    if ray_address is not None and name not in {None, "ray"}:
        raise typer.BadParameter(
            f"--ray-address is for --executor ray, not for --executor {name}; leave one of them out"
        )
    return ExecutorChoice(name, ray_address)


def make_console(*, stderr: bool = False) -> Console:
    """Return the console that a command prints to."""
    from sweep.terminal.console import SafeConsole

    return SafeConsole(stderr=stderr, brief=bool(os.environ.get(QUIET)) and not stderr)


def read_overrides(words: list[str] | None) -> Overrides:
    """Parse the values of `--override`. Raises StudyError."""
    from sweep.study.overrides import parse_overrides

    return parse_overrides(words or [])
