"""`sweep cancel`, `retry`, `pause` and `resume`: what another terminal trains, steered."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console

from sweep import control
from sweep.console import say
from sweep.schema import runs
from sweep.store import Store
from sweep.workspace import Workspace


def cancel(workspace: Workspace, word: str | None, study: str | None, console: Console) -> int:
    """Cancel runs. Raises NotFoundError."""
    number, named, name = _change(workspace, word, study, control.cancel)
    say(
        console,
        f"{number} of {named} runs of {name} cancelled; those that go on stop at their next step. "
        "`sweep retry` queues them again."
        if number
        else f"Nothing to cancel: {_all(named)} of {name} is done, or cancelled already.",
    )
    return 0


def retry(workspace: Workspace, word: str | None, study: str | None, console: Console) -> int:
    """Queue runs again. Raises NotFoundError."""
    number, named, name = _change(workspace, word, study, control.retry)
    say(
        console,
        f"{number} of {named} runs of {name} queued again; a `sweep run` of it, going on or new, "
        "trains them."
        if number
        else f"Nothing to retry: {_all(named)} of {name} has neither failed nor been cancelled.",
    )
    return 0


def pause(workspace: Workspace, word: str | None, console: Console) -> int:
    """Pause a study. Raises NotFoundError."""
    store = workspace.open()
    name = store.study(workspace.study_name(word))["name"]
    changed = control.pause(store, name)
    state = "is paused: its runs write a checkpoint and stop" if changed else "was paused already"
    say(console, f"{name} {state}. `sweep resume {name}` lets it go on.")
    return 0


def resume(workspace: Workspace, word: str | None, console: Console) -> int:
    """Let a study go on. Raises NotFoundError."""
    store = workspace.open()
    name = store.study(workspace.study_name(word))["name"]
    changed = control.resume(store, name)
    say(
        console,
        f"{name} goes on, where a `sweep run` of it is waiting."
        if changed
        else f"{name} was not paused.",
    )
    return 0


def _change(
    workspace: Workspace,
    word: str | None,
    study: str | None,
    change: Callable[[Store, Sequence[str]], int],
) -> tuple[int, int, str]:
    """How many runs were changed, of how many that were named, of which study."""
    store = workspace.open()
    name = store.study(workspace.study_name(study))["name"]
    ids = _named(store, name, word)
    return change(store, ids), len(ids), name


def _named(store: Store, study: str, word: str | None) -> list[str]:
    """The runs that a word means: those of an arm, a single one, or all. Raises NotFoundError."""
    rows = store.study_runs(study, runs.c.id)
    if word is None:
        return list(dict.fromkeys(row["id"] for row in rows))
    of_arm = [row["id"] for row in rows if row["arm"] == word]
    return of_arm or [store.find_run(word, study)["id"]]


def _all(number: int) -> str:
    return "the one run" if number == 1 else f"each of the {number} runs"
