"""`sweep evaluate`: measure a model from elsewhere on the test text of a study."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from sweep.models.find import model_folder
from sweep.models.torch_child import call
from sweep.store.rows import ReferenceRow
from sweep.terminal.console import say
from sweep.verdicts.references import (
    EvaluationSetup,
    check_name,
    remove_reference,
    require_setup,
    save_reference,
)
from sweep.workspace import Workspace


@dataclass(frozen=True)
class EvaluateRequest:
    """Options of `sweep evaluate`."""

    model: str
    """A folder, or a word that names a run."""
    study: str | None
    name: str | None
    """Name in reports; if left out, the name of the folder, or the word that names the run."""
    remove: bool = False
    """Remove the reference called `model` from the report."""


def evaluate(workspace: Workspace, request: EvaluateRequest, console: Console) -> int:
    """Measure the loss, store it, and print it. Returns the exit status."""
    store = workspace.open()
    study = store.study(workspace.study_name(request.study))
    if request.remove:
        remove_reference(store, study.name, request.model)
        say(console, f"{study.name} is not compared with {request.model} any more.")
        return 0
    setup = require_setup(store, study)
    folder = model_folder(workspace, request.model, study.name).resolve()
    name = request.name or (folder.name if Path(request.model).exists() else request.model)
    check_name(store, study, name)
    found = ReferenceRow(
        study=study.name,
        test_text=setup.hash,
        name=name,
        folder=str(folder),
        evaluated=time.time(),
        **_measure(folder, setup, workspace.cache, console),
    )
    save_reference(store, found)
    say(console, _words(found, setup))
    for note in found.provenance["notes"]:
        say(console, f"Note: {note}.")
    return 0


def _measure(folder: Path, setup: EvaluationSetup, cache: Path, console: Console) -> dict[str, Any]:
    """Fields of `trainer.tools.evaluate.Evaluation`; shows a progress bar."""
    request = {
        "folder": str(folder),
        "recipe": json.loads(setup.recipe.canonical()),
        "corpus_hash": setup.corpus_hash,
        "cache": str(cache),
    }
    evaluation: dict[str, Any] = {}
    with _progress_bar(console) as bar:
        task = bar.add_task("evaluating", total=None)

        def read(line: str) -> None:
            value = json.loads(line)
            if isinstance(value, dict):
                evaluation.update(value)
            else:
                done, total = value
                bar.update(task, completed=done, total=total)

        call("trainer.tools.evaluate", json.dumps(request), read)
    return evaluation


def _progress_bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _words(found: ReferenceRow, setup: EvaluationSetup) -> str:
    wanted, context = setup.recipe.evaluation, setup.recipe.model.context
    own = f" (it has {found.context} positions)" if found.context != context else ""
    return (
        f"{found.name}: {found.test_loss:.4f} nats per token, {found.bits_per_byte:.4f} bits per "
        f"byte, on the {wanted.chunks * wanted.chunk_tokens:,} test tokens of {found.study} with a "
        f"context of {context}{own}; {found.parameters:,} parameters. It is a reference in the "
        "study's report from now on."
    )
