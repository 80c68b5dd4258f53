"""`sweep gc`: frees what nobody needs, and says how much that is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rich.console import Console

from sweep.errors import StoreBusyError
from sweep.reports.document import as_json, publish
from sweep.store.store import Store
from sweep.terminal.console import say
from sweep.terminal.units import shown_size
from sweep.upkeep.garbage import KINDS, Item, find_garbage, folders_of
from sweep.workspace import Workspace

ON_REQUEST = ("weights", "corpora", "unknown")
"""Kinds that are freed when somebody asks for it: `--weights`, ..."""


@dataclass(frozen=True, kw_only=True)
class GcRequest:
    """What `sweep gc` was asked for."""

    kinds: frozenset[str] = frozenset()
    """Those of ON_REQUEST that are to be freed, too."""
    studies: Sequence[str] = ()
    """Whose weights are."""
    dry_run: bool = False
    form: Literal["table", "json"] = "table"


@dataclass
class _Outcome:
    """What became of all that was found."""

    freed: list[Item] = field(default_factory=list)
    kept: list[Item] = field(default_factory=list)
    busy: list[Item] = field(default_factory=list)
    """What a process works on."""
    problems: list[str] = field(default_factory=list)


def gc(workspace: Workspace, request: GcRequest, console: Console) -> int:
    """Free what nobody needs; the exit status: 1 where something could not be removed.

    Raises StoreError without a database that is whole: nobody can tell then what is needed.
    """
    outcome = _Outcome()
    with _open(workspace) as store:
        chosen = folders_of(store, request.studies)
        for item in find_garbage(store, workspace.folder):
            wanted = item.kind not in ON_REQUEST or item.kind in request.kinds
            if wanted or (item.kind == "weights" and item.path.parent.name in chosen):
                _free(item, outcome, dry_run=request.dry_run)
            else:
                outcome.kept.append(item)
    if request.form == "json":
        publish(as_json(_content(outcome, dry_run=request.dry_run)), None, console)
    else:
        _print(outcome, console, dry_run=request.dry_run)
    return 1 if outcome.problems else 0


def _open(workspace: Workspace) -> Store:
    """The database, also where the disk is so full that it cannot be opened as usual."""
    try:
        return workspace.open()
    except StoreBusyError:
        return Store(workspace.url, alone=True, folder=workspace.folder)


def _free(item: Item, outcome: _Outcome, *, dry_run: bool) -> None:
    try:
        with item.undisturbed() as undisturbed:
            if undisturbed and not dry_run:
                item.remove()
        (outcome.freed if undisturbed else outcome.busy).append(item)
    except OSError as error:
        outcome.problems.append(f"{item.path} cannot be removed ({error.strerror or error}).")


def _content(outcome: _Outcome, *, dry_run: bool) -> dict[str, Any]:
    def listed(items: Sequence[Item]) -> list[dict[str, Any]]:
        return [{"kind": i.kind, "path": str(i.path), "bytes": i.size} for i in items]

    return {
        "dry_run": dry_run,
        "bytes": _size(outcome.freed),
        "freed": listed(outcome.freed),
        "kept": listed(outcome.kept),
        "in_use": listed(outcome.busy),
        "problems": outcome.problems,
    }


def _print(outcome: _Outcome, console: Console, *, dry_run: bool) -> None:
    size = shown_size(_size(outcome.freed))
    begin = f"Would free {size}:" if dry_run else f"Freed {size}:"
    say(console, begin if outcome.freed else "There is nothing to free.")
    for kind, items in _by_kind(outcome.freed).items():
        say(console, f"  {shown_size(_size(items))}: {KINDS[kind]} ({len(items):,})")
        for item in items if dry_run else ():
            say(console, f"    {item.path}, {shown_size(item.size)}")
    for kind, items in _by_kind(outcome.kept).items():
        size = shown_size(_size(items))
        say(console, f"Kept: {KINDS[kind]} ({len(items):,}), {size}; --{kind} frees them.")
    for item in outcome.busy:
        say(console, f"{item.path} is left alone: a process works there.", "yellow")
    for problem in outcome.problems:
        say(console, problem, "red")


def _by_kind(items: Sequence[Item]) -> Mapping[str, list[Item]]:
    found: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        found[item.kind].append(item)
    return {kind: found[kind] for kind in KINDS if kind in found}


def _size(items: Sequence[Item]) -> int:
    return sum(item.size for item in items)
