"""Commands that use trained models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sweep.cli import completion
from sweep.cli.app import app
from sweep.cli.numbers import Range, number_option
from sweep.cli.options import (
    RUNS,
    Database,
    Folder,
    StudyOption,
    StudyWord,
    home_path,
    home_word,
    make_console,
    open_workspace,
)

ModelWord = Annotated[
    str,
    typer.Argument(
        metavar="RUN", parser=home_word, help="A run's id or ARM/SEED, or the folder of a model."
    ),
]


@app.command()
def export(
    to: Annotated[
        Path,
        typer.Option("--to", metavar="DIR", parser=home_path, help="The folder to create."),
    ],
    word: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|STUDY]",
            parser=home_word,
            help="A run's id or its beginning, or ARM/SEED; with --best a study's file or name, the "
            "one last run if left out.",
            autocompletion=completion.anything,
        ),
    ] = None,
    best: Annotated[
        bool,
        typer.Option(
            "--best",
            help="Export every seed of the study's best arm: of those whose verdict is better, the one "
            "with the largest effect; the baseline if no arm is better.",
        ),
    ] = False,
    push: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER/NAME",
            help="Upload it to the Hugging Face Hub; with --best as OWNER/NAME-seed-1 and so on, in the "
            "collection NAME.",
        ),
    ] = None,
    study: StudyOption = None,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Write a finished run, or those of the best arm, as folders that transformers loads."""
    from sweep.commands.export import ExportRequest
    from sweep.commands.export import export as command

    if word is None and not best:
        raise typer.BadParameter("name a run, as ARM/SEED; or a study, with --best")
    if best and word is not None and study is not None:
        raise typer.BadParameter(f"--best takes one study: leave out {word} or --study {study}")
    request = ExportRequest(word, study, to, push, best)
    raise typer.Exit(command(open_workspace(runs, db), request, make_console()))


@app.command()
def evaluate(
    model: ModelWord,
    study: StudyOption = None,
    name: Annotated[str | None, typer.Option(help="The model's name in reports.")] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove the reference called RUN from the report.")
    ] = False,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Evaluate any model on a study's test text; the report shows it as a reference."""
    from sweep.commands.evaluate import EvaluateRequest
    from sweep.commands.evaluate import evaluate as command

    request = EvaluateRequest(model, study, name, remove)
    raise typer.Exit(command(open_workspace(runs, db), request, make_console()))


@app.command()
def evals(
    tasks: Annotated[
        str,
        typer.Option(
            metavar="TASK,...", help="Tasks, groups or tags of lm-eval, separated by commas."
        ),
    ],
    study: StudyWord = None,
    include_path: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", parser=home_path, help="A folder with further tasks, as YAML files."
        ),
    ] = None,
    few_shot: Annotated[
        int | None,
        number_option(
            Range(int, 0, 10**4), "Examples before each item; as the task says if left out"
        ),
    ] = None,
    limit: Annotated[
        int | None, number_option(Range(int, 1, 10**9), "Use only the first items of each task")
    ] = None,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Score the models of a study on tasks of lm-eval, and print verdicts on the scores."""
    from sweep.commands.evals import EvalsRequest
    from sweep.commands.evals import evals as command

    request = EvalsRequest(
        study=study,
        tasks=[name.strip() for name in tasks.split(",") if name.strip()],
        include_path=include_path,
        few_shot=few_shot,
        limit=limit,
    )
    workspace = open_workspace(runs, db)
    raise typer.Exit(command(workspace, request, make_console(), make_console(stderr=True)))


@app.command()
def generate(
    run: ModelWord,
    prompt: Annotated[str, typer.Option(help="The beginning of the text.")] = "",
    tokens: Annotated[
        int, number_option(Range(int, 1, 10**9), "Maximum number of new tokens")
    ] = 200,
    temperature: Annotated[
        float, number_option(Range(float, 0, 1e3), "0 always takes the likeliest token")
    ] = 0.8,
    top_k: Annotated[
        int | None,
        number_option(
            Range(int, 1, 2**62), "Sample from the N likeliest tokens; from all if left out"
        ),
    ] = None,
    seed: Annotated[
        int, number_option(Range(int, 0, 2**63 - 1), "The same seed gives the same text")
    ] = 1,
    study: StudyOption = None,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Generate text with a finished run, or with the model in a folder."""
    from sweep.commands.generate import GenerateRequest
    from sweep.commands.generate import generate as command

    request = GenerateRequest(run, study, prompt, tokens, temperature, top_k, seed)
    raise typer.Exit(command(open_workspace(runs, db), request))
