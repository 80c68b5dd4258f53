"""The command that judges how well models follow instructions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sweep.cli.app import app
from sweep.cli.options import (
    RUNS,
    Database,
    Folder,
    FormatOption,
    Output,
    Slots,
    StudyWord,
    chosen_format,
    home_path,
    make_console,
    open_workspace,
)
from sweep.study.judge_names import JudgeName


@app.command()
def judge(
    study: StudyWord = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="FILE", parser=home_path, help="Instruction data, a JSON file."
        ),
    ] = None,
    judge: Annotated[
        JudgeName | None, typer.Option("--judge", help="Who scores the answers; chrf if left out.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Set a field of [evaluation.instructions], such as judge.model; repeatable.",
        ),
    ] = None,
    form: FormatOption = None,
    output: Output = None,
    slots: Slots = None,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Fine-tune the models of a study on instructions, score their answers, and print verdicts."""
    from sweep.commands.judge import JudgeRequest
    from sweep.commands.judge import judge as command
    from sweep.commands.judge_setup import JudgeChoice

    request = JudgeRequest(
        study=study,
        choice=JudgeChoice(data, judge, changes or ()),
        slots=slots,
        form=chosen_format(form, output),
        output=output,
    )
    workspace = open_workspace(runs, db)
    raise typer.Exit(command(workspace, request, make_console(), make_console(stderr=True)))
