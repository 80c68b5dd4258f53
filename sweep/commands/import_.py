"""`sweep import`: results from elsewhere as a study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from sweep.errors import ResultsError, listed
from sweep.importing.adding import save_further
from sweep.importing.baseline import choose_baseline
from sweep.importing.columns import Chosen, choose_columns
from sweep.importing.direction import with_direction
from sweep.importing.factors import arm_of_factors, read_factors, with_low_baseline
from sweep.importing.fields import SEED_FIELDS, Field, direction_of
from sweep.importing.files.logs import parse_pattern
from sweep.importing.further_metrics import read_metrics
from sweep.importing.metric_words import MetricWord
from sweep.importing.pairing import EqualSeeds, check_pairs, find_equal_seeds
from sweep.importing.questions import gathered
from sweep.importing.reading import read_results, source_of
from sweep.importing.rules import Reading, Rules
from sweep.importing.runs import Runs, read_runs
from sweep.importing.saving import Import, Saved, save_import
from sweep.importing.settings import DEFAULT_ANALYSIS, Settings
from sweep.importing.steps import Ends, step_text
from sweep.metrics.metric import Direction
from sweep.reports.pairing_text import equal_seed_lines, how_runs_pair
from sweep.store.plan_content import PlanContent
from sweep.study.names import Name
from sweep.terminal.console import say
from sweep.terminal.printable import shown
from sweep.verdicts.analysis_plan import check_settings
from sweep.workspace import Workspace
from trainer.words import counted, shortened

ARMS_LISTED = 6
"""Arms that a remark lists."""
ROWS_LISTED = 8
"""Rows that a remark lists."""


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    """The arguments of `sweep import`."""

    files: Sequence[Path]
    """Files, folders and patterns of files; at least one."""
    study: str
    regex: str | None = None
    """Reads logs: a line that matches is a row, and named groups are its columns."""
    columns: Mapping[Field, str] = field(default_factory=dict)
    """By field of a run: the column that holds it."""
    settings: Settings = field(default_factory=Settings)
    rules: Rules = field(default_factory=Rules)
    metrics: Sequence[MetricWord] = ()
    """Metrics by name, the one that is compared first; none: the column of the loss."""

    factors: Sequence[str] = ()
    """Columns with the levels of the factors of a factorial."""

    @property
    def asked_columns(self) -> dict[Field, str]:
        """The columns that the command names. Raises ResultsError if two are the loss."""
        if not self.metrics:
            return dict(self.columns)
        column = self.metrics[0].column
        if self.columns.get(Field.LOSS, column) != column:
            raise ResultsError("--metric and --column loss= name two columns; name one")
        return {**self.columns, Field.LOSS: column}

    @property
    def direction(self) -> Direction | None:
        """The direction that is asked for, of the first metric."""
        given = [each.direction for each in self.metrics[:1] if each.direction]
        return given[0] if given else self.settings.direction

    def adds_to(self, earlier: PlanContent | None) -> bool:
        """True if the file has further metrics of runs that the study has."""
        names = [each.name for each in self.metrics]
        return earlier is not None and bool(names) and earlier.metric not in names


@dataclass(frozen=True, kw_only=True)
class _Read:
    """A file that was understood."""

    new: Import
    chosen: Chosen
    found: Runs
    seeds: EqualSeeds
    remarks: Sequence[str]
    """Sentences of the readers of files and of factors."""


def import_results(workspace: Workspace, request: ImportRequest, console: Console) -> int:
    """Read a file, store its new runs, and print what was understood; the exit status.

    Raises UserError, before anything is written, if the file cannot be understood.
    """
    _check(request)
    earlier = _earlier_plan(workspace, request.study)
    read = _read(request, earlier)
    if request.adds_to(earlier):
        return _add(workspace, request, read.new, console)
    saved = save_import(workspace.open_or_create(), read.new)
    understood = [_summary(request, saved), _understood(read.chosen, read.seeds, saved.plan)]
    remarks = [*equal_seed_lines(read.seeds, saved.plan), *read.remarks, *_remarks(read.found)]
    for line in [*understood, *remarks, f"Next: sweep report {request.study}"]:
        say(console, line)
    return 0


def _read(request: ImportRequest, earlier: PlanContent | None) -> _Read:
    source, columns = source_of(request.files), request.asked_columns
    adds, settings = request.adds_to(earlier), request.settings
    columns |= arm_of_factors(request.factors, request.columns)
    export = read_results(request.files, parse_pattern(request.regex), columns)
    factors = read_factors(export.frame, request.factors, source) if request.factors else None
    frame = factors.frame if factors else export.frame
    with gathered() as questions:
        known = list(earlier.arms) if earlier else []
        reading = Reading(source=source, questions=questions, rules=request.rules, known_arms=known)
        chosen = choose_columns(frame, {**export.columns, **columns}, reading)
        chosen = replace(chosen, metric=request.metrics[0].name) if request.metrics else chosen
        reading = with_direction(
            reading, chosen.metric, request.direction, None if adds else earlier
        )
        found = read_runs(chosen.cells, reading, chosen.further, chosen.parents())
        words = request.metrics if adds else request.metrics[1:]
        further = read_metrics(words, frame, found.table, reading)
        design = factors.design(found.table.arm, found.table.row) if factors else None
        settings = with_low_baseline(settings, earlier, design)
        baseline = choose_baseline(settings, earlier, found.arms, reading)
    seeds = find_equal_seeds(found.table, baseline, found.seed_fields)
    check_pairs(seeds, settings, earlier, source)
    new = _import(request, replace(settings, baseline=baseline), chosen, found, reading)
    return _Read(
        new=replace(new, further_metrics=further, design=design),
        chosen=chosen,
        found=found,
        seeds=seeds,
        remarks=[*export.remarks, *(factors.remarks if factors else [])],
    )


def _import(
    request: ImportRequest, settings: Settings, chosen: Chosen, found: Runs, reading: Reading
) -> Import:
    """The runs to store; `settings` name the baseline."""
    named_seeds = Field.SEED in found.seed_fields and found.table.seed.isna().any()
    return Import(
        study=request.study,
        path=request.files[0],
        table=found.table,
        further=chosen.further_with_seeds() if named_seeds else chosen.further,
        baseline=settings.baseline or "",
        metric=chosen.metric,
        direction=reading.rules.direction,
        seed_fields=found.seed_fields,
        settings=settings,
        reruns=found.reruns,
        replace=request.rules.replace,
    )


def _add(workspace: Workspace, request: ImportRequest, new: Import, console: Console) -> int:
    """Store further metrics of known runs, and print what was understood; the exit status."""
    number = save_further(workspace.open_or_create(), new)
    names = listed(
        f"{shown(each.metric.name)} ({each.metric.direction.words})" for each in new.further_metrics
    )
    say(console, f"{new.study}: {counted(number, 'new value')} of {names} for its runs.")
    say(
        console, f"Next: sweep report {request.study} --metric {new.further_metrics[0].metric.name}"
    )
    return 0


def _earlier_plan(workspace: Workspace, name: str) -> PlanContent | None:
    """Return the plan of an imported study; None if there is no such study."""
    store = workspace.open_to_read_if_any()
    if store is None:
        return None
    with store:
        found = store.study_if_any(name)
        return store.plan(found) if found and found.imported else None


def _check(request: ImportRequest) -> None:
    """Raises ResultsError for an impossible name or setting."""
    try:
        TypeAdapter(Name).validate_python(request.study)
    except ValidationError as error:
        context = error.errors()[0].get("ctx", {})
        raise ResultsError(f"--study {context.get('error')}") from error
    try:
        check_settings(replace(DEFAULT_ANALYSIS, **request.settings.analysis()))
    except ValueError as error:
        raise ResultsError(f"--{str(error).replace('_', '-')}") from error


def _summary(request: ImportRequest, saved: Saved) -> str:
    study, source, plan = request.study, source_of(request.files), saved.plan
    if not saved.added and not saved.ended and not saved.replaced:
        are = "is" if saved.known == 1 else "are"
        return f"{study}: nothing new; all {counted(saved.known, 'run')} of {source} {are} there already."
    counts = {
        "had ended since the last import": saved.ended,
        "had another result, which was replaced": saved.replaced,
        "more were there already": saved.known - saved.ended - saved.replaced,
    }
    told = "".join(f", {count} {what}" for what, count in counts.items() if count)
    arms = f"{len(plan.arms)} arms, and" if len(plan.arms) > 1 else "one arm:"
    return (
        f"{study}: {counted(saved.added, 'run')} imported from {source}{told}; the study has {arms} "
        f"{shown(plan.baseline)} is the baseline."
    )


def _understood(chosen: Chosen, equal: EqualSeeds, plan: PlanContent) -> str:
    """Say which column was taken for which field, and which columns pair the runs."""
    direction = plan.direction
    told = [f"{field} from {shown(name)}" for field, name in chosen.names.items() if field != name]
    seeds = [name for field, name in chosen.names.items() if field in SEED_FIELDS]
    pairs = how_runs_pair(equal, plan, seeds)
    if Field.SEED in chosen.cells and not seeds:
        pairs = f"seeds were read from the ends of the runs' names; {pairs}"
    metric = chosen.metric
    if direction_of(metric) is not direction:
        option = " (otherwise --higher-is-better)" if direction is Direction.MINIMIZE else ""
        pairs += f"; of {shown(metric)} {direction.words}{option}"
    return f"Read {', '.join(told)}; {pairs}." if told else f"{pairs.capitalize()}."


def _remarks(found: Runs) -> Iterator[str]:
    """Yield sentences on rows that were left out or changed."""
    repeated = found.repeated_rows
    if again := len(found.reruns):
        yield (
            f"{counted(again, 'row')} {'is an exact rerun' if again == 1 else 'are exact reruns'}: "
            "no further evidence; `sweep noise` compares."
        )
    if repeated == 1:
        yield "1 row repeats another and counts once."
    elif repeated:
        yield f"{repeated} rows repeat others and count once."
    noticed = {
        "with a loss that is not finite, counted as diverged": found.rows_diverged,
        "without a loss, counted as failed": found.rows_without_loss,
        "with the status 'terminated' and a loss, counted as done (--status terminated=failed "
        "if they were stopped early)": found.rows_terminated,
        "with a value of exactly 0, counted as done (--zero-loss failed if they crashed)": found.rows_zero,
        "without a seed but with the arm and loss of another, counted as separate runs": found.rows_alike,
        "listed as the parent of nested runs, left out": found.left_out.parents,
        "with a status to skip, left out": found.left_out.skipped,
    }
    for what, rows in noticed.items():
        if rows:
            yield f"{len(rows)} run{'s' if len(rows) > 1 else ''} {what}: {_rows(rows)}."
    united = [f"{shown(name)} is {shown(kept)}" for name, kept in found.united.items()]
    if united:
        yield f"Numbers written in two ways are one arm: {shortened(united, ARMS_LISTED)}."
    if found.ends.by_arm:
        yield _ends(found.ends)
    elif (step := found.last_step) is not None:
        yield f"Each run counts at step {step_text(step)}, its last one unless --step N says another."


def _ends(ends: Ends) -> str:
    """Say at which steps the runs end, and how to compare them at one step."""
    told = [
        f"{shown(arm)} at {step_text(first)}" + (f" to {step_text(last)}" if last > first else "")
        for arm, (first, last) in ends.by_arm.items()
    ]
    where = shortened(told, ARMS_LISTED)
    if ends.column:
        return (
            f"By {shown(ends.column)}, the runs do not end at the same step: {where}. "
            "To compare them at one step, import a file with a row for each step, with --at-step N."
        )
    step = "N" if ends.common is None else step_text(ends.common)
    return (
        f"The runs do not end at the same step: {where}. To compare them at one "
        f"step, import the file under another --study name with --at-step {step}."
    )


def _rows(rows: Sequence[int]) -> str:
    numbers = shortened([str(row) for row in rows[: ROWS_LISTED + 1]], ROWS_LISTED)
    return f"row{'s' if len(rows) > 1 else ''} {numbers}"
