"""`sweep cancel`, `retry`, `pause` and `resume`: control runs that another process trains."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from sweep.commands.chosen_study import PAUSED, TRAINED_NOW, choose_study
from sweep.errors import NotFoundError, nearest
from sweep.executors.registry import EXECUTORS
from sweep.queue import control
from sweep.queue.presence import is_present
from sweep.store.find_run import find_run
from sweep.store.ledger import directory_name
from sweep.store.states import OPEN, RunState
from sweep.store.store import Store
from sweep.study.overrides import override_words
from sweep.terminal.console import say
from sweep.workspace import Workspace, from_here
from trainer.words import counted

DEFAULT_FOLDER = Path("runs")
"""The folder of runs of a command line without `--runs`."""


def cancel(workspace: Workspace, word: str | None, study: str | None, console: Console) -> int:
    """Cancel a run, the runs of an arm, or those of a study; the exit status. Raises UserError."""
    if word is None and study is None:
        raise NotFoundError(
            "name what to cancel: `sweep cancel RUN`, `sweep cancel ARM`, or "
            "`sweep cancel --study STUDY` for all runs of a study (`sweep list`)"
        )
    jobs: list[int] = []

    def cancel_all(store: Store, ids: Sequence[str]) -> int:
        changed = control.cancel(store, ids)
        jobs.append(_cancel_jobs(workspace, ids))
        return changed

    number, named, name = _change(workspace, word, study, cancel_all, console)
    ended = f" {counted(sum(jobs), 'job')} of the cluster ended." if any(jobs) else ""
    say(
        console,
        f"{number} of {counted(named, 'run')} of {name} cancelled; running ones stop at their next step. "
        f"`sweep retry` queues them again.{ended}"
        if number
        else f"Nothing to cancel: {_all(named)} of {name} is done or cancelled already.{ended}",
    )
    return 0


def _cancel_jobs(workspace: Workspace, ids: Sequence[str]) -> int:
    """Cancel the jobs of runs that go on without a scheduler; returns how many are known."""
    directories = [workspace.folder / directory_name(run_id) for run_id in ids]
    kinds = (kind.cancel for kind in EXECUTORS.values() if kind.cancel)
    return sum(cancel_jobs(workspace.folder, directories) for cancel_jobs in kinds)


def retry(workspace: Workspace, word: str | None, study: str | None, console: Console) -> int:
    """Queue failed and cancelled runs again; the exit status. Raises UserError."""
    number, named, name = _change(workspace, word, study, control.retry, console)
    say(
        console,
        f"{number} of {counted(named, 'run')} of {name} queued again: {_who_trains(workspace, name)}."
        if number
        else f"Nothing to retry: {_all(named)} of {name} has neither failed nor been cancelled.",
    )
    return 0


def pause(workspace: Workspace, word: str | None, console: Console) -> int:
    """Pause a study; the exit status. Raises UserError."""
    store = workspace.open()
    name = choose_study(workspace, store, word, TRAINED_NOW, console).name
    state = "is paused" if control.pause(store, name) else "was paused already"
    effect = (
        "its runs write a checkpoint and stop"
        if is_present(store, name)
        else "no command is training it, and none will start its runs"
    )
    say(console, f"{name} {state}: {effect}. `sweep resume {name}` continues it.")
    return 0


def resume(workspace: Workspace, word: str | None, console: Console) -> int:
    """Resume a paused study; the exit status. Raises UserError."""
    store = workspace.open()
    name = choose_study(workspace, store, word, PAUSED, console).name
    state = "is resumed" if control.resume(store, name) else "was not paused"
    states = sum(store.states_by_arm(name).values(), Counter[RunState]())
    missing = sum(states[state] for state in OPEN | {RunState.FAILED})
    if not missing:
        say(console, f"{name} {state}, and has no runs left to train.")
    elif is_present(store, name):
        say(console, f"{name} {state}: the command that is training it continues.")
    else:
        say(
            console,
            f"{name} {state}. No command is training it: type `{_command(workspace, store, name)}` "
            f"to train {'the missing run' if missing == 1 else f'its {missing} missing runs'}.",
        )
    return 0


def _who_trains(workspace: Workspace, name: str) -> str:
    """Say what trains the queued runs of a study."""
    store = workspace.open()
    if store.study(name).paused:
        return f"{name} is paused, `sweep resume {name}` continues it"
    if is_present(store, name):
        return "the command that is training the study trains them"
    return f"type `{_command(workspace, store, name)}` to train them"


def _command(workspace: Workspace, store: Store, name: str) -> str:
    """The command line that trains the missing runs of a study."""
    study = store.study(name)
    plan = store.plan(study)
    run = ["sweep", "run", from_here(study.path)]
    words = ["sweep", "stack", plan.stack.of] if plan.stack else run
    words += override_words(plan.overrides)
    if workspace.folder != DEFAULT_FOLDER:
        words += ["--runs", str(workspace.folder)]
    return shlex.join([*words, *(["--db", workspace.database] if workspace.database else [])])


def _change(
    workspace: Workspace,
    word: str | None,
    study: str | None,
    change: Callable[[Store, Sequence[str]], int],
    console: Console,
) -> tuple[int, int, str]:
    """Return the number of changed runs, the number of named runs, and the name of the study."""
    store = workspace.open()
    arm = None if word is None else word.rpartition("/")[0] or word
    name = choose_study(workspace, store, study, TRAINED_NOW, console, arm).name
    ids = _named(store, name, word)
    return change(store, ids), len(ids), name


def _named(store: Store, study: str, word: str | None) -> list[str]:
    """Return the runs that `word` names: of an arm, a single run, or all. Raises NotFoundError."""
    rows = store.run_ids(study)
    if word is None:
        return list(dict.fromkeys(run_id for _, run_id in rows))
    of_arm = [run_id for arm, run_id in rows if arm == word]
    if of_arm:
        return of_arm
    near = nearest(word, dict.fromkeys(arm for arm, _ in rows))
    if near is not None and "/" not in word:
        raise NotFoundError(f"{study} has no arm {word!r}; did you mean {near!r}?")
    return [find_run(store, word, study).run.id]


def _all(number: int) -> str:
    return "the one run" if number == 1 else f"each of the {number} runs"
