"""Commands that plan, train and report studies."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from sweep.cli import completion
from sweep.cli.app import app
from sweep.cli.budget import MaxHours, MaxRuns, read_budget
from sweep.cli.numbers import Range, number_option
from sweep.cli.options import (
    RUNS,
    Database,
    ExecutorOption,
    FailFast,
    Folder,
    FormatOption,
    Output,
    OverrideOption,
    RayAddress,
    Slots,
    StudyFile,
    StudyOption,
    StudyWord,
    TableOrJson,
    Track,
    chosen_format,
    executor_choice,
    make_console,
    open_workspace,
    read_overrides,
)
from sweep.cli.questions import (
    AfterOption,
    CostsOption,
    DetailsOption,
    GuardOption,
    MarginOption,
    MetricOption,
    TargetOption,
    read_guards,
)

PaceOption = Annotated[
    float | None,
    number_option(Range(float, 1e-3, 1e12, above_zero=True), "Speed of a baseline run, if known"),
]
SdOption = Annotated[
    float | None,
    number_option(Range(float, 1e-12, 1e6, above_zero=True), "SD of baseline runs, if known", "N"),
]
EffectOption = Annotated[
    float | None,
    number_option(Range(float, 1e-12, 1e6, above_zero=True), "An effect to find seeds for", "N"),
]
PriceOption = Annotated[
    float | None,
    number_option(Range(float, 0, 1e9), "Price of a GPU, or of a slot on a CPU"),
]


@app.command()
def run(
    study: StudyFile,
    override: OverrideOption = None,
    slots: Slots = None,
    executor: ExecutorOption = None,
    ray_address: RayAddress = None,
    fail_fast: FailFast = False,
    max_runs: MaxRuns = None,
    max_hours: MaxHours = None,
    track: Track = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Train in the background, and return at once.")
    ] = False,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Train the runs that a study still lacks, and print its verdicts."""
    from sweep.commands.detached import detach as in_background
    from sweep.commands.run import RunRequest, TrainOptions
    from sweep.commands.run import run as in_foreground

    command = in_background if detach else in_foreground

    budget = read_budget(max_runs, max_hours)
    options = TrainOptions(slots, fail_fast, budget, track or ())
    overrides = read_overrides(override)
    workspace = open_workspace(runs, db)
    file = workspace.named_file(study)
    request = RunRequest(file, overrides, options, executor_choice(executor, ray_address))
    raise typer.Exit(command(workspace, request, make_console()))


@app.command()
def search(
    study: StudyFile,
    override: OverrideOption = None,
    slots: Slots = None,
    executor: ExecutorOption = None,
    ray_address: RayAddress = None,
    fail_fast: FailFast = False,
    track: Track = None,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Tune the fields of a study's [search], then compare the result on fresh seeds."""
    from sweep.commands.run import RunRequest, TrainOptions
    from sweep.commands.search import search as command

    options = TrainOptions(slots, fail_fast, track=track or ())
    overrides = read_overrides(override)
    workspace = open_workspace(runs, db)
    file = workspace.named_file(study)
    request = RunRequest(file, overrides, options, executor_choice(executor, ray_address))
    raise typer.Exit(command(workspace, request, make_console()))


@app.command()
def plan(
    study: StudyFile,
    override: OverrideOption = None,
    tokens_per_second: PaceOption = None,
    sd: SdOption = None,
    effect: EffectOption = None,
    price_per_hour: PriceOption = None,
    form: TableOrJson = "table",
    slots: Slots = None,
    executor: ExecutorOption = None,
    ray_address: RayAddress = None,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Show what would run, how long it takes and which effects it can detect; train nothing."""
    from sweep.commands.plan import PlanRequest
    from sweep.commands.plan import plan as command

    workspace = open_workspace(runs, db)
    request = PlanRequest(
        workspace.named_file(study),
        slots,
        read_overrides(override),
        tokens_per_second=tokens_per_second,
        sd=sd,
        effect=effect,
        price_per_hour=price_per_hour,
        form=form,
        executor=executor_choice(executor, ray_address),
    )
    raise typer.Exit(command(workspace, request, make_console()))


@app.command()
def report(
    study: StudyWord = None,
    form: FormatOption = None,
    output: Output = None,
    target: TargetOption = None,
    metric: MetricOption = None,
    guard: GuardOption = None,
    margin: MarginOption = None,
    details: DetailsOption = False,
    costs: CostsOption = False,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Print the verdicts on a study."""
    from sweep.commands.report import ReportRequest
    from sweep.commands.report import report as command
    from sweep.verdicts.analysis_plan import Questions

    request = ReportRequest(
        study=study,
        form=chosen_format(form, output),
        output=output,
        questions=Questions(margin=margin, target=target, metric=metric, guards=read_guards(guard)),
        details=details,
        costs=costs,
    )
    raise typer.Exit(command(open_workspace(runs, db), request, make_console()))


@app.command()
def noise(
    study: StudyWord = None,
    seeds: Annotated[
        int, number_option(Range(int, 2, 10_000), "Minimum number of baseline seeds")
    ] = 7,
    decompose: Annotated[
        str | None,
        typer.Option(
            metavar="STREAMS",
            help="Split the noise by random stream: init,order,dropout; init/order if orders are nested.",
        ),
    ] = None,
    method: Annotated[
        Literal["moments", "REML", "ML"] | None,
        typer.Option(help="For --decompose; moments if the layout is balanced, else REML."),
    ] = None,
    levels: Annotated[
        int, number_option(Range(int, 3, 99), "Seeds per stream, for --decompose")
    ] = 4,
    override: OverrideOption = None,
    form: FormatOption = None,
    output: Output = None,
    slots: Slots = None,
    executor: ExecutorOption = None,
    ray_address: RayAddress = None,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Measure the noise of the baseline, with several seeds and one exact rerun."""
    from sweep.commands.noise import NoiseRequest
    from sweep.commands.noise import noise as command
    from sweep.noise.decomposition import parse_question

    question = parse_question(decompose, levels, method) if decompose is not None else None
    chosen = chosen_format(form, output)
    request = NoiseRequest(
        study,
        seeds,
        slots,
        chosen,
        output,
        read_overrides(override),
        question,
        executor_choice(executor, ray_address),
    )
    progress = make_console(stderr=chosen != "table" and output is None)
    raise typer.Exit(command(open_workspace(runs, db), request, make_console(), progress))


@app.command()
def settle(
    arm: Annotated[
        str | None,
        typer.Argument(
            metavar="[ARM]",
            help="An undecided arm; all of them if left out.",
            autocompletion=completion.arms,
        ),
    ] = None,
    after: AfterOption = None,
    study: StudyOption = None,
    slots: Slots = None,
    executor: ExecutorOption = None,
    ray_address: RayAddress = None,
    max_runs: MaxRuns = None,
    max_hours: MaxHours = None,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Train the further seeds that undecided arms need, and print the verdicts."""
    from sweep.commands.settle import SettleRequest
    from sweep.commands.settle import settle as command

    request = SettleRequest(
        arm=arm,
        after=after,
        study=study,
        slots=slots,
        budget=read_budget(max_runs, max_hours),
        executor=executor_choice(executor, ray_address),
    )
    raise typer.Exit(command(open_workspace(runs, db), request, make_console()))


@app.command()
def stack(
    study: StudyWord = None,
    seeds: Annotated[
        int | None,
        number_option(
            Range(int, 2, 10_000), "Number of new seeds; as many as the study has, if left out"
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the choice and the prediction; train nothing.")
    ] = False,
    form: FormatOption = None,
    output: Output = None,
    slots: Slots = None,
    executor: ExecutorOption = None,
    ray_address: RayAddress = None,
    runs: Folder = RUNS,
    db: Database = None,
) -> None:
    """Train a study's improvements together, on new seeds: do they add up?"""
    from sweep.commands.stack import StackRequest
    from sweep.commands.stack import stack as command

    chosen = chosen_format(form, output)
    request = StackRequest(
        study, seeds, slots, dry_run, chosen, output, executor_choice(executor, ray_address)
    )
    progress = make_console(stderr=chosen != "table" and output is None)
    raise typer.Exit(command(open_workspace(runs, db), request, make_console(), progress))
