"""`sweep export`: write a finished run as a folder that transformers loads, and upload it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from sweep.models.card import make_card
from sweep.models.find import finished_run
from sweep.models.upload import Hub
from sweep.store.ledger import directory_name
from sweep.terminal.console import say
from sweep.workspace import Workspace
from trainer.rundir.directory import RunDirectory
from trainer.weights.export import export as write_model
from trainer.weights.export import find_format


@dataclass(frozen=True)
class ExportRequest:
    """Options of `sweep export`."""

    run: str
    study: str | None
    to: Path
    push: str | None
    """A repository on the Hugging Face Hub as OWNER/NAME; None to upload nothing."""


def export(workspace: Workspace, request: ExportRequest, console: Console) -> int:
    """Write the folder, whole or not at all, and upload it on request. Returns the exit status."""
    store = workspace.open_to_read()
    study = workspace.study_name(request.study)
    run = finished_run(store, request.run, study)
    hub = Hub() if request.push else None
    directory = RunDirectory(workspace.folder / directory_name(run.id))
    recipe = directory.read_request().recipe
    export_format = find_format(recipe.model, directory)
    write_model(directory, request.to, make_card(store, run, recipe, export_format, study))
    how = "with trust_remote_code=True" if export_format.code else "as it is"
    say(console, f"Written to {request.to}: transformers loads it {how}.")
    if hub and request.push:
        say(console, f"Uploaded to {hub.upload(request.to, request.push)}.")
    return 0
