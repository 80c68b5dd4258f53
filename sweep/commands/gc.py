"""`sweep gc`: free the space of files that are not needed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rich.console import Console

from sweep.reports.document import as_json, publish
from sweep.terminal.console import say
from sweep.terminal.units import shown_size
from sweep.upkeep.garbage import GarbageKind, Item, find_garbage, folders_of
from sweep.workspace import Workspace

ON_REQUEST = (GarbageKind.WEIGHTS, GarbageKind.CORPORA, GarbageKind.UNKNOWN)
"""Kinds that are freed only on request: `--weights`, `--corpora`, `--unknown`."""
DESCRIPTIONS = {
    GarbageKind.CHECKPOINTS: "checkpoints of runs that ended",
    GarbageKind.LEFTOVERS: "files that were left half-written",
    GarbageKind.JOBS: "scripts and output of Slurm jobs that ended",
    GarbageKind.BACKUPS: "older backups of the database",
    GarbageKind.WEIGHTS: "weights of finished runs",
    GarbageKind.CORPORA: "token files that no run reads",
    GarbageKind.UNKNOWN: "folders of runs that the database does not know",
}


@dataclass(frozen=True, kw_only=True)
class GcRequest:
    """The arguments of `sweep gc`."""

    kinds: frozenset[GarbageKind] = frozenset()
    """Kinds of ON_REQUEST that are to be freed too."""
    studies: Sequence[str] = ()
    """Studies, by name, of which the weights are to be freed too."""
    dry_run: bool = False
    form: Literal["table", "json"] = "table"


@dataclass
class _Outcome:
    """The items that were found, by what was done with them."""

    freed: list[Item] = field(default_factory=list)
    kept: list[Item] = field(default_factory=list)
    in_use: list[Item] = field(default_factory=list)
    """Left alone because a process holds their lock."""
    problems: list[str] = field(default_factory=list)


def gc(workspace: Workspace, request: GcRequest, console: Console) -> int:
    """Free files that are not needed; the exit status is 1 if one could not be removed.

    Raises StoreError if the database is missing or damaged: only it tells which files are needed.
    """
    outcome = _Outcome()
    with workspace.open_to_read() as store:
        chosen = folders_of(store, request.studies)
        for item in find_garbage(store, workspace.folder):
            wanted = item.kind not in ON_REQUEST or item.kind in request.kinds
            if wanted or (item.kind == GarbageKind.WEIGHTS and item.path.parent.name in chosen):
                _free(item, outcome, dry_run=request.dry_run)
            else:
                outcome.kept.append(item)
    if request.form == "json":
        publish(as_json(_to_json(outcome, dry_run=request.dry_run)), None, console)
    else:
        _print(outcome, console, dry_run=request.dry_run)
    return 1 if outcome.problems else 0


def _free(item: Item, outcome: _Outcome, *, dry_run: bool) -> None:
    try:
        with item.lock_folder() as locked:
            if locked and not dry_run:
                item.remove()
        (outcome.freed if locked else outcome.in_use).append(item)
    except OSError as error:
        outcome.problems.append(f"{item.path} cannot be removed ({error.strerror or error}).")


def _to_json(outcome: _Outcome, *, dry_run: bool) -> dict[str, Any]:
    def listed(items: Sequence[Item]) -> list[dict[str, Any]]:
        return [{"kind": i.kind, "path": str(i.path), "bytes": i.size} for i in items]

    return {
        "dry_run": dry_run,
        "bytes": _size(outcome.freed),
        "freed": listed(outcome.freed),
        "kept": listed(outcome.kept),
        "in_use": listed(outcome.in_use),
        "problems": outcome.problems,
    }


def _print(outcome: _Outcome, console: Console, *, dry_run: bool) -> None:
    size = shown_size(_size(outcome.freed))
    begin = f"Would free {size}:" if dry_run else f"Freed {size}:"
    say(console, begin if outcome.freed else "There is nothing to free.")
    for kind, items in _by_kind(outcome.freed).items():
        say(console, f"  {shown_size(_size(items))}: {DESCRIPTIONS[kind]} ({len(items):,})")
        for item in items if dry_run else ():
            say(console, f"    {item.path}, {shown_size(item.size)}")
    for kind, items in _by_kind(outcome.kept).items():
        size = shown_size(_size(items))
        say(console, f"Kept: {DESCRIPTIONS[kind]} ({len(items):,}), {size}; --{kind} frees them.")
    for item in outcome.in_use:
        say(console, f"{item.path} is in use by a process and was kept.", "yellow")
    for problem in outcome.problems:
        say(console, problem, "red")


def _by_kind(items: Sequence[Item]) -> Mapping[GarbageKind, list[Item]]:
    found: dict[GarbageKind, list[Item]] = defaultdict(list)
    for item in items:
        found[item.kind].append(item)
    return {kind: found[kind] for kind in GarbageKind if kind in found}


def _size(items: Sequence[Item]) -> int:
    return sum(item.size for item in items)
