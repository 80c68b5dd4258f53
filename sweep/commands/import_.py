"""`sweep import`: results from elsewhere as a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from sweep.errors import ResultsError, listed
from sweep.importing.columns import Chosen, choose_columns
from sweep.importing.reading import read_results
from sweep.importing.runs import read_runs
from sweep.importing.saving import Import, Saved, save_import
from sweep.study.file import Name
from sweep.terminal.console import say
from sweep.terminal.printable import shown
from sweep.workspace import Workspace


@dataclass(frozen=True)
class ImportRequest:
    """What `sweep import` was asked for."""

    file: Path
    study: str
    columns: Mapping[str, str] = field(default_factory=dict)
    """By field of a run (see `importing.columns.FIELDS`): the column that it is in."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Those of `importing.saving.DEFAULTS` that were decided."""


def import_results(workspace: Workspace, request: ImportRequest, console: Console) -> int:
    """Read a file, store what is new in it, and say what was understood; the exit status.

    Raises UserError, before anything is written, when the file makes no sense.
    """
    _check(request)
    source = str(request.file)
    chosen = choose_columns(read_results(request.file), request.columns, source)
    found = read_runs(chosen, source)
    further = chosen.further
    if "seed" in found.seed_columns and found.frame["seed"].isna().any():  # they get numbers
        further = further.assign(**{chosen.names.get("seed", "seed"): chosen.rows["seed"]})
    new = Import(
        study=request.study,
        path=request.file,
        runs=found.frame,
        further=further,
        metric=chosen.names["loss"],
        seed_columns=found.seed_columns,
        settings=request.settings,
    )
    saved = save_import(workspace.open_or_create(), new)
    for line in [_summary(request, saved), _understood(chosen), *found.remarks]:
        say(console, line)
    say(console, f"Next: sweep report {request.study}")
    return 0


def _check(request: ImportRequest) -> None:
    """Raises ResultsError for a name or a setting that cannot be."""
    from analysis.rules import Plan

    try:
        TypeAdapter(Name).validate_python(request.study)
    except ValidationError as error:
        reason = error.errors()[0]["ctx"]["error"]
        raise ResultsError(f"--study {reason}") from error
    numbers = {key: value for key, value in request.settings.items() if key != "baseline"}
    try:
        Plan(arms=(), **{"smallest_effect": 0.0, **numbers})
    except ValueError as error:
        raise ResultsError(f"--{str(error).replace('_', '-')}") from error


def _summary(request: ImportRequest, saved: Saved) -> str:
    total, arms = saved.added + saved.known, len(saved.content["arms"])
    if not saved.added:
        return (
            f"{request.study}: nothing new; all {total} runs of {request.file} are there already."
        )
    already = f", {saved.known} more were there already" if saved.known else ""
    return (
        f"{request.study}: {saved.added} runs imported from {request.file}{already}; the study has "
        f"{arms} arms, and {shown(saved.content['baseline'])} is the baseline."
    )


def _understood(chosen: Chosen) -> str:
    """Which column was taken for what, and what pairs."""
    names = chosen.names
    told = [f"{field} from {shown(name)}" for field, name in names.items() if field != name]
    seeds = [name for field, name in names.items() if field.endswith("seed")]
    if "seed" in chosen.rows and not seeds:
        pairs = "seeds were read from the ends of the runs' names"
    elif seeds:
        pairs = f"runs pair by {listed(seeds)}"
    else:
        pairs = "without seeds no runs pair"
    return f"Read {', '.join(told)}; {pairs}." if told else f"{pairs.capitalize()}."
