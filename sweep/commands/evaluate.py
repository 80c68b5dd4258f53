"""`sweep evaluate`: a model from elsewhere on the text that a study tests with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from sweep.models.find import model_folder
from sweep.models.torch_child import call
from sweep.terminal.console import say
from sweep.verdicts.references import (
    Exam,
    check_name,
    remove_reference,
    require_exam,
    save_reference,
)
from sweep.workspace import Workspace


@dataclass(frozen=True)
class EvaluateRequest:
    """What `sweep evaluate` was asked for."""

    model: str
    """A folder, or a run's word."""
    study: str | None
    name: str | None
    """What reports call it; if left out, that of its folder, or the run's word."""
    remove: bool = False
    """Take the line called `model` out of the report."""


def evaluate(workspace: Workspace, request: EvaluateRequest, console: Console) -> int:
    """Measure the loss, store it, and print it; the exit status."""
    store = workspace.open()
    study = store.study(workspace.study_name(request.study))
    if request.remove:
        remove_reference(store, study.name, request.model)
        say(console, f"{study.name} is not compared with {request.model} any more.")
        return 0
    exam = require_exam(store, study)
    folder = model_folder(workspace, request.model, study.name).resolve()
    name = request.name or (folder.name if Path(request.model).is_dir() else request.model)
    check_name(store, study, name)
    words = {
        "folder": str(folder),
        "recipe": json.loads(exam.recipe.canonical()),
        "corpus_hash": exam.corpus_hash,
        "cache": str(workspace.cache),
    }
    found = _measure(words, console)
    save_reference(store, study.name, exam, {"name": name, "folder": str(folder), **found})
    say(console, _words(name, study.name, exam, found))
    return 0


def _measure(words: dict[str, Any], console: Console) -> dict[str, Any]:
    """What `trainer.tools.evaluate` finds, with a bar while it works."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    found: dict[str, Any] = {}
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("evaluating", total=None)

        def see(line: str) -> None:
            value = json.loads(line)
            if isinstance(value, dict):
                found.update(value)
            else:
                done, total = value
                bar.update(task, completed=done, total=total)

        call("trainer.tools.evaluate", json.dumps(words), see)
    return found


def _words(name: str, study: str, exam: Exam, found: dict[str, Any]) -> str:
    wanted, context = exam.recipe.evaluation, exam.recipe.model.context
    knows = f" (it knows {found['context']})" if found["context"] != context else ""
    return (
        f"{name}: {found['test_loss']:.4f} nats per token, {found['bits_per_byte']:.4f} bits per "
        f"byte, on the {wanted.chunks * wanted.chunk_tokens:,} test tokens of {study} with a "
        f"context of {context}{knows}; {found['parameters']:,} parameters. It stands in the "
        "study's report from now on, as a reference."
    )
