"""The command line. Imports little: what a command needs is imported when it is called."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sweep.errors import RunnerLostError
from trainer.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from sweep.override import Overrides
    from sweep.workspace import Workspace

EXIT_FAILED = 1
EXIT_WRONG = 2
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="sweep",
    help="Which changes to a GPT training run are real? Trains them with several seeds and tells.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Format = Literal["table", "md", "csv", "json"]
Folder = Annotated[Path, typer.Option("--runs", metavar="DIR", help="The folder of results.")]
Database = Annotated[
    str | None, typer.Option("--db", metavar="URL", help="A database other than DIR/sweep.db.")
]
Slots = Annotated[
    int | None, typer.Option(metavar="N", help="Runs at once; one per GPU or core if left out.")
]
OverrideOption = Annotated[
    list[str] | None,
    typer.Option(
        "--override", metavar="KEY=VALUE", help="Set a baseline field this once; repeatable."
    ),
]
StudyFile = Annotated[Path, typer.Argument(metavar="STUDY", help="A study file.")]
StudyWord = Annotated[
    str | None,
    typer.Argument(metavar="[STUDY]", help="A study's file or name; the one last run if left out."),
]
RunWord = Annotated[str, typer.Argument(metavar="RUN", help="The beginning of an id, or ARM/SEED.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How to print.")]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to a file.")
]
RUNS = Path("runs")


def _workspace(runs: Path, db: str | None) -> Workspace:
    from sweep.workspace import Workspace  # noqa: PLC0415

    return Workspace(runs, db)


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console  # noqa: PLC0415

    # A path may hold what rich takes for markup or an emoji.
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def _overrides(words: list[str] | None) -> Overrides:
    from sweep.override import parse_overrides  # noqa: PLC0415

    return parse_overrides(words or [])


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    if debug:
        os.environ["SWEEP_DEBUG"] = "1"


@app.command()
def run(
    study: StudyFile,
    override: OverrideOption = None,
    slots: Slots = None,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Train what a study still lacks, and print its verdicts."""
    from sweep.commands.run import RunRequest  # noqa: PLC0415
    from sweep.commands.run import run as command  # noqa: PLC0415

    request = RunRequest(study, slots, _overrides(override))
    raise typer.Exit(command(_workspace(runs, db), request, _console()))


@app.command()
def plan(
    study: StudyFile,
    override: OverrideOption = None,
    tokens_per_second: Annotated[
        float | None,
        typer.Option(metavar="N", min=1e-3, max=1e12, help="Of one baseline run, if you know it."),
    ] = None,
    slots: Slots = None,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Show what would run, how long it takes and what it can tell; train nothing."""
    from sweep.commands.plan import PlanRequest  # noqa: PLC0415
    from sweep.commands.plan import plan as command  # noqa: PLC0415

    request = PlanRequest(study, slots, _overrides(override), tokens_per_second)
    raise typer.Exit(command(_workspace(runs, db), request, _console()))


@app.command()
def report(
    study: StudyWord = None,
    form: FormatOption = "table",
    output: Output = None,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Print the verdicts on a study."""
    from sweep.commands.report import report as command  # noqa: PLC0415

    raise typer.Exit(command(_workspace(runs, db), study, form, output, _console()))


@app.command()
def noise(
    study: StudyWord = None,
    seeds: Annotated[int, typer.Option(min=2, max=10_000, help="Baseline seeds, at least.")] = 7,
    override: OverrideOption = None,
    form: FormatOption = "table",
    output: Output = None,
    slots: Slots = None,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Measure how large chance is: baseline seeds, and one of them run again exactly."""
    from sweep.commands.noise import NoiseRequest  # noqa: PLC0415
    from sweep.commands.noise import noise as command  # noqa: PLC0415

    request = NoiseRequest(study, seeds, slots, form, output, _overrides(override))
    progress = _console(stderr=form != "table" and output is None)
    raise typer.Exit(command(_workspace(runs, db), request, _console(), progress))


@app.command()
def status(study: StudyWord = None, runs: Folder = RUNS, db: Database = None) -> None:
    """Show how far a study is, and what went wrong."""
    from sweep.commands.look import status as command  # noqa: PLC0415

    raise typer.Exit(command(_workspace(runs, db), study, _console()))


@app.command(name="list")
def list_studies(runs: Folder = RUNS, db: Database = None) -> None:
    """List the studies that were run here."""
    from sweep.commands.look import list_studies as command  # noqa: PLC0415

    raise typer.Exit(command(_workspace(runs, db), _console()))


@app.command()
def show(run: RunWord, runs: Folder = RUNS, db: Database = None) -> None:
    """Show everything that is known of a run."""
    from sweep.commands.look import show as command  # noqa: PLC0415

    raise typer.Exit(command(_workspace(runs, db), run, _console()))


@app.command()
def log(
    run: RunWord,
    whole: Annotated[bool, typer.Option("--all", help="Not only the last lines.")] = False,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Show what a run printed and how its attempts ended."""
    from sweep.commands.look import log as command  # noqa: PLC0415

    raise typer.Exit(command(_workspace(runs, db), run, whole, _console()))


@app.command()
def init(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The file to write.")],
) -> None:
    """Write a commented study to start from."""
    from sweep.commands.init import init as command  # noqa: PLC0415

    raise typer.Exit(command(study, _console()))


@app.command()
def doctor(runs: Folder = RUNS, db: Database = None) -> None:
    """Examine this machine: what works, and what to do about what does not."""
    from sweep.commands.doctor import doctor as command  # noqa: PLC0415

    raise typer.Exit(command(_workspace(runs, db), _console()))


def main() -> None:
    """The console script: a command, with errors as sentences."""
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
    if isinstance(error, UserError):
        print(f"sweep: {error}", file=sys.stderr)  # noqa: T201  (the command line's own voice)
        return EXIT_FAILED if isinstance(error, RunnerLostError) else EXIT_WRONG
    print(  # noqa: T201  (as above)
        f"sweep: this is a bug in sweep, not in your study: {type(error).__name__}: {error}\n"
        "`sweep --debug ...` shows where; please report it with that.",
        file=sys.stderr,
    )
    return EXIT_FAILED
