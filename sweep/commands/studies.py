"""`sweep list` and `sweep study`: show, rename and delete studies, and keep notes on them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweep.errors import listed
from sweep.reports.document import as_json, publish
from sweep.store.rows import StudyRow
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.terminal.console import is_brief, say
from sweep.terminal.printable import printable
from sweep.terminal.units import duration
from sweep.upkeep.studies import (
    Belongings,
    delete_study,
    find_belongings,
    rename_study,
    set_note,
    set_tags,
)
from sweep.workspace import Workspace, from_here
from trainer.words import counted


def list_studies(
    workspace: Workspace, console: Console, form: Literal["table", "json"] = "table"
) -> int:
    """Print all studies, the latest first; on a brief console only their names."""
    store = workspace.open_to_read()
    known = store.studies()
    if form == "json":
        publish(as_json([_study_json(store, study) for study in known]), None, console)
    elif is_brief(console):
        for study in known:
            console.print(study.name, soft_wrap=True)
    else:
        console.print(_studies_table(store, known))
    return 0


def _studies_table(store: Store, known: Sequence[StudyRow]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("study", "arms", "runs", "done", "last run", "file"):
        justify: Literal["left", "right"] = "right" if title in {"arms", "runs", "done"} else "left"
        table.add_column(title, justify=justify, overflow="fold")  # names and paths whole
    has_tags, has_notes = any(each.tags for each in known), any(each.note for each in known)
    for title in [*(["tags"] if has_tags else []), *(["note"] if has_notes else [])]:
        table.add_column(title, overflow="fold")
    for study in known:
        counts = store.states_by_arm(study.name)
        total = sum(counts.values(), Counter[RunState]())
        numbers = len(counts), total.total(), total[RunState.DONE]
        further = [*([" ".join(study.tags or ())] if has_tags else [])]
        further += [study.note or ""] if has_notes else []
        last = "running" if total[RunState.RUNNING] else _ago(store, study)
        table.add_row(study.name, *map(str, numbers), last, from_here(study.path), *further)
    return table


def _study_json(store: Store, study: StudyRow) -> dict[str, Any]:
    counts = store.states_by_arm(study.name)
    total = sum(counts.values(), Counter[RunState]())
    return {
        **vars(study),
        "arms": len(counts),
        "runs": total.total(),
        "states": {state.value: total[state] for state in RunState},
        "last_end": store.last_end(study.name) or None,
    }


def _ago(store: Store, study: StudyRow) -> str:
    """Say how long ago a run of the study last ended, or the study was last run."""
    if study.imported:
        return f"imported {duration(time.time() - study.last_run)} ago"
    last = max(study.last_run, store.last_end(study.name))
    return f"{duration(time.time() - last)} ago"


def rename(workspace: Workspace, word: str, name: str, console: Console) -> int:
    """Rename a study. Raises StudyError."""
    store = workspace.open()
    study = store.study(workspace.study_name(word))
    rename_study(store, study, name)
    say(console, f"{study.name} is now {name}.")
    if not study.imported and Path(study.path).exists():
        say(
            console,
            f'{from_here(study.path)} still has its old name: write `name = "{name}"` there, or its next '
            "`sweep run` makes a study of the old name.",
        )
    return 0


def delete(workspace: Workspace, request: DeleteRequest, console: Console) -> int:
    """Delete a study, after asking. Raises StudyError."""
    store = workspace.open()
    study = store.study(workspace.study_name(request.study))
    belongings = find_belongings(store, study)
    say(console, _belongings_words(study, belongings, request))
    if not request.yes and not request.confirm(f"Delete {study.name}?"):
        say(console, "Nothing was deleted.")
        return 0
    deleted = delete_study(store, study, with_runs=request.with_runs)
    runs = f", and {counted(deleted, 'run')}" if deleted else ""
    say(console, f"{study.name} was deleted{runs}.")
    return 0


@dataclass(frozen=True, kw_only=True)
class DeleteRequest:
    """The arguments of `sweep study delete`."""

    study: str
    with_runs: bool = False
    yes: bool = False
    """True to ask nothing."""
    confirm: Callable[[str], bool]
    """Asks a person."""


def _belongings_words(study: StudyRow, found: Belongings, request: DeleteRequest) -> str:
    """Say what is deleted and what stays."""
    own = f"{counted(len(found.own), 'run')} that no other study has"
    if request.with_runs:
        words = f"{study.name} will be deleted, with {own} and their directories."
    else:
        words = (
            f"{study.name} will be deleted. Of {own}, those that have begun stay in the database and on "
            "the disk, so that a study with the same runs need not train them; --with-runs deletes them, "
            "too."
        )
    if found.weights:
        starts = counted(len(found.weights), "run")
        words = f"{words} {starts} with weights that other studies start from will stay."
    if not found.shared:
        return words
    shared = listed(f"{name} ({number})" for name, number in found.shared.items())
    return f"{words} Runs that are shared with other studies stay: {shared}."


def note(workspace: Workspace, word: str, text: str | None, console: Console) -> int:
    """Write a note on a study; an empty one removes it, and without one it is printed."""
    store = workspace.open()
    study = store.study(workspace.study_name(word))
    if text is None:
        console.print(Text(printable(study.note or "")), soft_wrap=True)
        return 0
    set_note(store, study, text.strip() or None)
    say(console, f"The note on {study.name} is {'stored' if text.strip() else 'removed'}.")
    return 0


def tag(
    workspace: Workspace, word: str, tags: Sequence[str], console: Console, *, remove: bool = False
) -> int:
    """Add tags to a study, or remove them; prints those that it has then."""
    store = workspace.open()
    study = store.study(workspace.study_name(word))
    has = set(study.tags or ())
    changed = has - set(tags) if remove else has | set(tags)
    if changed != has:
        set_tags(store, study, sorted(changed))
    console.print(Text(printable(" ".join(sorted(changed)))), soft_wrap=True)
    return 0
