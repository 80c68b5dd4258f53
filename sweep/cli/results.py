"""The command that imports results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from analysis.multiplicity import CorrectionName
from sweep.cli.app import app
from sweep.cli.options import RUNS, Database, Folder, home_path, make_console, open_workspace
from sweep.cli.questions import GuardOption, MarginOption, TargetOption, read_guards

if TYPE_CHECKING:
    from sweep.importing.settings import Settings

FilesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE",
        parser=home_path,
        help="Files with a row per run or step, or folders of them.",
    ),
]
ColumnsOption = Annotated[
    list[str] | None,
    typer.Option(metavar="FIELD=COLUMN", help="The column that holds a field; repeatable."),
]
FactorsOption = Annotated[
    str | None,
    typer.Option(metavar="A,B,C", help="Columns with the levels of a factorial's factors."),
]
RegexOption = Annotated[
    str | None,
    typer.Option(
        metavar="PATTERN", help="Read logs: each line that matches, with a group (?P<loss>)."
    ),
]
StatusesOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WORD=MEANING", help="done, failed, diverged, running or skip; repeatable."
    ),
]
ZeroLossOption = Annotated[
    Literal["done", "failed", "diverged"] | None,
    typer.Option(help="What a loss of exactly 0 means."),
]
NegativeLossOption = Annotated[
    Literal["done", "failed", "diverged"] | None,
    typer.Option(help="What a loss below 0 means."),
]
LargeLossOption = Annotated[
    Literal["done", "failed", "diverged"] | None,
    typer.Option(help="What a run with a loss of over 100 times the median is."),
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN=VALUE", help="Use only these rows; repeatable."),
]
StepOption = Annotated[
    float | None,
    typer.Option(
        "--at-step", "--step", metavar="N", help="The step to use; each run's last if left out."
    ),
]
ImportedMetrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="A metric to import, or NAME=COLUMN; the first is compared; repeatable.",
    ),
]
BaselineOption = Annotated[
    str | None, typer.Option(metavar="ARM", help="The arm that the others are compared with.")
]
AlphaOption = Annotated[float | None, typer.Option(help="Significance level; 0.05 if left out.")]
CorrectionOption = Annotated[
    CorrectionName | None,
    typer.Option(help="Correction for multiple comparisons; holm if left out."),
]
EffectOption = Annotated[
    float | None, typer.Option(help="Smallest effect of interest; 0 if left out.")
]

ReplaceOption = Annotated[
    bool, typer.Option("--replace", help="Overwrite results of runs that had ended.")
]
RerunsOption = Annotated[
    bool,
    typer.Option("--reruns", help="Later rows of the same arm and seeds are exact reruns."),
]
DirectionOption = Annotated[
    bool | None,
    typer.Option(
        "--higher-is-better/--lower-is-better",
        "--maximize/--minimize",
        help="The direction in which the metric improves; lower if left out.",
    ),
]
PairsOption = Annotated[
    bool | None,
    typer.Option(
        "--pairs/--no-pairs",
        help="Whether runs of two arms with the same seed are a pair; they are if left out.",
    ),
]


@app.command(name="import")
def import_results(
    files: FilesArgument,
    study: Annotated[str, typer.Option(metavar="NAME", help="Name of the new study.")],
    column: ColumnsOption = None,
    factors: FactorsOption = None,
    regex: RegexOption = None,
    status: StatusesOption = None,
    where: WhereOption = None,
    zero_loss: ZeroLossOption = None,
    negative_loss: NegativeLossOption = None,
    large_loss: LargeLossOption = None,
    metric: ImportedMetrics = None,
    guard: GuardOption = None,
    at_step: StepOption = None,
    baseline: BaselineOption = None,
    alpha: AlphaOption = None,
    correction: CorrectionOption = None,
    smallest_effect: EffectOption = None,
    margin: MarginOption = None,
    target: TargetOption = None,
    higher_is_better: DirectionOption = None,
    pairs: PairsOption = None,
    replace: ReplaceOption = False,
    reruns: RerunsOption = False,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Import results of other programs as a study, for `sweep report` and `sweep noise`."""
    from sweep.commands import import_
    from sweep.importing.columns import parse_columns
    from sweep.importing.factors import parse_factors
    from sweep.importing.metric_words import parse_metrics
    from sweep.importing.rules import parse_rules

    asked = {"alpha": alpha, "smallest_effect": smallest_effect, "margin": margin, "target": target}
    settings = _settings((baseline, correction), asked, guard, higher=higher_is_better, pairs=pairs)
    losses = {"zero_loss": zero_loss, "negative_loss": negative_loss, "large_loss": large_loss}
    rules = parse_rules(status or [], where or [], losses, at_step, replace=replace, reruns=reruns)
    columns = parse_columns(column or [])
    request = import_.ImportRequest(
        files=files,
        study=study,
        regex=regex,
        columns=columns,
        settings=settings,
        rules=rules,
        metrics=parse_metrics(metric or []),
        factors=parse_factors(factors),
    )
    raise typer.Exit(import_.import_results(open_workspace(runs, db), request, make_console()))


def _settings(
    names: tuple[str | None, str | None],
    numbers: Mapping[str, float | None],
    guards: list[str] | None,
    *,
    higher: bool | None,
    pairs: bool | None,
) -> Settings:
    from sweep.importing.settings import Settings, asked_direction

    direction = asked_direction(higher=higher)
    baseline, correction = names
    return Settings(
        baseline=baseline,
        correction=correction,
        direction=direction,
        pairs=pairs,
        guards=read_guards(guards) or None,
        **numbers,
    )
