"""`sweep evals`: score the models of a study on tasks of lm-eval."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sweep.commands.report import print_metric
from sweep.commands.training import EXIT_DONE, open_to_train
from sweep.errors import NotFoundError
from sweep.evals.eval_files import EVALS_PREFIX, add_evals, drop_evals, read_evals
from sweep.evals.metrics import find_eval_metrics
from sweep.models.find import finished_runs
from sweep.models.torch_child import call
from sweep.reports.formats import DEFAULT_FORMAT
from sweep.store.ledger import directory_name
from sweep.store.metrics import replace_metric
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.terminal.console import say
from sweep.terminal.printable import shown_first
from sweep.workspace import Workspace
from trainer.rundir.directory import RunDirectory
from trainer.tools.eval_protocol import Request, RunRequest, Scored
from trainer.words import counted

MAX_TABLES = 3
"""Metrics whose verdicts are printed; of more, only the names are."""
_PROGRESS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeRemainingColumn(),
)


@dataclass(frozen=True, kw_only=True)
class EvalsRequest:
    """The arguments of `sweep evals`."""

    study: str | None
    tasks: Sequence[str]
    """Names of lm-eval's tasks, groups or tags."""
    include_path: Path | None = None
    """A folder with further tasks."""
    few_shot: int | None = None
    limit: int | None = None


def evals(workspace: Workspace, request: EvalsRequest, console: Console, log: Console) -> int:
    """Score what has no scores yet, store them as metrics, and print verdicts on them.

    Progress goes to `log`. Returns the exit status. Raises UserError if lm-eval is not installed, does
    not know a task, or cannot score a model.
    """
    store = open_to_train(workspace, log)
    study = store.study(workspace.study_name(request.study))
    planned = store.study_runs(study.name)
    if not any(each.run.state == RunState.DONE for each in planned):
        raise NotFoundError(f"no run of {study.name} is done; `sweep run {study.name}` trains them")
    run_ids = dict.fromkeys(each.run.id for each in finished_runs(planned))
    _score(store, workspace.folder, _question(request, list(run_ids), workspace.folder), log)
    names = _metrics_of(store, study.name, request.tasks, workspace.folder, list(run_ids))
    if len(names) > MAX_TABLES:
        say(console, f"Stored: {shown_first(names, len(names))}.")
        say(console, f"`sweep report {study.name} --metric {names[0]}` judges by one of them.")
        return EXIT_DONE
    for name in names:
        print_metric(store, study, name, DEFAULT_FORMAT, None, console)
    return EXIT_DONE


def _directory(folder: Path, run_id: str) -> RunDirectory:
    return RunDirectory(folder / directory_name(run_id))


def _question(request: EvalsRequest, run_ids: Sequence[str], folder: Path) -> Request:
    """What lm-eval is asked, with what is known of each run."""
    runs = []
    for run_id in run_ids:
        directory = _directory(folder, run_id)
        evals = read_evals(directory)
        known = {name: task.identity for name, task in evals.tasks.items()} if evals else {}
        runs.append(RunRequest(run_id=run_id, folder=str(directory.path), known=known))
    return Request(
        tasks=list(dict.fromkeys(request.tasks)),
        include_path=str(request.include_path) if request.include_path else None,
        few_shot=request.few_shot,
        limit=request.limit,
        runs=runs,
    )


def _score(store: Store, folder: Path, question: Request, log: Console) -> None:
    """Ask lm-eval for the scores that are missing, and store each run's as they come."""
    with Progress(*_PROGRESS, console=log, transient=True, disable=not log.is_terminal) as bar:
        progress = bar.add_task("loading tasks", total=None)
        missing: dict[str, list[str]] | None = None

        def read(line: str) -> None:
            nonlocal missing
            value = json.loads(line)
            if missing is None:  # the first line
                missing = dict(value)
                bar.update(progress, description="scoring", total=len(missing), completed=0)
                say(log, _announcement(len(missing), question))
                for run_id, tasks in missing.items():
                    _drop(store, folder, run_id, tasks)
                return
            scored = Scored.model_validate(value)
            evals = add_evals(_directory(folder, scored.run_id), scored.run_id, scored.tasks)
            for name, number in evals.values.items():
                replace_metric(store, name, [scored.run_id], {scored.run_id: number})
            bar.advance(progress)

        call("trainer.tools.evals", question.model_dump_json(), read)


def _drop(store: Store, folder: Path, run_id: str, tasks: Sequence[str]) -> None:
    """Remove a run's scores on tasks that have changed: a verdict on old and new ones would be wrong."""
    directory = _directory(folder, run_id)
    before = read_evals(directory)
    kept = drop_evals(directory, run_id, tasks)
    for name in before.values.keys() - kept.values.keys() if before else ():
        replace_metric(store, name, [run_id], {})


def _announcement(missing: int, question: Request) -> str:
    """How many runs are scored now: `Scoring 2 of 6 runs on 'piqa'.`"""
    runs, tasks = len(question.runs), shown_first(question.tasks, len(question.tasks))
    if missing:
        return f"Scoring {missing} of {counted(runs, 'run')} on {tasks}."
    every = "The run has" if runs == 1 else f"All {runs} runs have"
    return f"{every} scores on {tasks} already."


def _metrics_of(
    store: Store, study: str, tasks: Sequence[str], folder: Path, run_ids: Sequence[str]
) -> list[str]:
    """The names of the metrics of these tasks, groups or tags, whose direction is known."""
    evals = read_evals(_directory(folder, run_ids[0]))
    found = [evals.tasks[name] for name in tasks if evals and name in evals.tasks]
    labels = dict.fromkeys(f"{EVALS_PREFIX}{label}" for task in found for label in task.values)
    known = find_eval_metrics(store, study)
    return [name for name in labels if name in known]
