"""`sweep export`: write finished runs as folders that transformers loads, and upload them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from model.export_format import ExportFormat
from sweep.commands.training import EXIT_DONE, EXIT_INCOMPLETE
from sweep.models.card import make_card
from sweep.models.find import finished_run, finished_runs
from sweep.models.upload import Hub
from sweep.reports.best_arm_text import best_arm_lines, no_best_arm
from sweep.store.ledger import directory_name
from sweep.store.rows import PlannedRun, RunRow
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.terminal.console import say
from sweep.verdicts.best_arm import find_best_arm
from sweep.verdicts.judge import Report, make_report
from sweep.workspace import Workspace
from trainer.rundir.directory import RunDirectory
from trainer.weights.export import check_is_free, export_all, find_format
from trainer.weights.export import export as write_model
from trainer.words import counted


@dataclass(frozen=True)
class ExportRequest:
    """Options of `sweep export`."""

    word: str | None
    """A run; with `best` a study, None for the one last run."""
    study: str | None
    to: Path
    push: str | None
    """A repository on the Hugging Face Hub as OWNER/NAME; None to upload nothing."""
    best: bool = False
    """True to export the runs of the best arm."""


@dataclass(frozen=True)
class _Models:
    """The runs of a folder, as what an export writes of them."""

    store: Store
    folder: Path
    study: str | None
    """The study whose verdict a card has; None for all that have the run."""
    report_of: Callable[[str], Report]

    def directory(self, run: RunRow) -> RunDirectory:
        return RunDirectory(self.folder / directory_name(run.id))

    def format(self, run: RunRow) -> ExportFormat:
        directory = self.directory(run)
        return find_format(directory.read_request().recipe.model, directory)

    def card(self, run: RunRow) -> str:
        recipe = self.directory(run).read_request().recipe
        return make_card(
            self.store, run, recipe, self.format(run), study=self.study, report_of=self.report_of
        )


def export(workspace: Workspace, request: ExportRequest, console: Console) -> int:
    """Write the folder, whole or not at all, and upload it on request. Returns the exit status."""
    store = workspace.open_to_read()
    if request.best:
        return _export_best(workspace, store, request, console)
    study = workspace.study_name(request.study)
    run = finished_run(store, request.word or "", study)
    hub = Hub([request.push]) if request.push else None
    models = _Models(
        store, workspace.folder, study, lambda name: make_report(store, store.study(name))
    )
    write_model(models.directory(run), request.to, models.card(run))
    say(console, f"Written to {request.to}: transformers loads it {_how(models.format(run))}.")
    if hub and request.push:
        say(console, f"Uploaded to {hub.upload(request.to, request.push).address}.")
    return EXIT_DONE


def _export_best(
    workspace: Workspace, store: Store, request: ExportRequest, console: Console
) -> int:
    """Write the runs of the best arm of a study. Returns the exit status."""
    study = store.study(workspace.study_name(request.word or request.study))
    report = make_report(store, study)
    best = find_best_arm(report)
    if best is None:
        say(console, no_best_arm(study.name), "red")
        return EXIT_INCOMPLETE
    planned = store.study_runs(study.name, best.arm.name)
    runs = {f"seed-{each.seed}": each.run for each in finished_runs(planned)}
    names = {name: f"{request.push}-{name}" for name in runs} if request.push else {}
    check_is_free(request.to)
    hub = Hub(names.values()) if names else None
    for line in [*best_arm_lines(report, best), *_left_out(planned)]:
        say(console, line)
    models = _Models(store, workspace.folder, study.name, lambda _: report)
    export_all(
        {name: (models.directory(run), models.card(run)) for name, run in runs.items()}, request.to
    )
    how = _how(models.format(next(iter(runs.values()))))
    say(console, f"Written to {request.to}: {', '.join(runs)}. transformers loads each {how}.")
    if hub and request.push:
        about = f"The arm {best.arm.name} of the study {study.name}, a model per seed."
        _upload_all(hub, request, names, about, console)
    return EXIT_DONE


def _upload_all(
    hub: Hub, request: ExportRequest, names: dict[str, str], about: str, console: Console
) -> None:
    """Upload each folder to a repository of its own, and list them in a collection."""
    title = (request.push or "").rpartition("/")[2]
    say(
        console,
        f"Uploading {counted(len(names), 'model')}, {', '.join(names.values())}, for the collection "
        f"{title!r}.",
    )
    made = [hub.upload(request.to / name, repository) for name, repository in names.items()]
    for each in made:
        say(console, f"Uploaded to {each.address}.")
    say(console, f"Listed in {hub.collect(title, about, [each.name for each in made])}.")


def _left_out(planned: list[PlannedRun]) -> list[str]:
    """Which runs of the arm have no model."""
    return [
        f"Left out, as it has no final weights: {each.arm}/{each.seed} ({each.run.state})."
        for each in planned
        if each.run.state != RunState.DONE
    ]


def _how(export_format: ExportFormat) -> str:
    return "with trust_remote_code=True" if export_format.code else "as it is"
