"""What a shell completes: names of studies, arms and runs in the folder of results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from sweep.store.store import Store


def studies(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of studies; the shell itself completes study files."""

    def names(store: Store, _study: str | None) -> list[str]:
        return [study.name for study in store.studies()]

    return _complete(ctx, incomplete, names, needs_study=False)


def arms(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of the arms of the study that was named, or of the one last run."""
    return _complete(ctx, incomplete, _arms)


def runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Runs of that study as ARM/SEED, once the arm is typed; before that, its arms with a slash."""
    arm, slash, _ = incomplete.rpartition("/")

    def names(store: Store, study: str | None) -> list[str]:
        from sweep.store.places import find_places

        if not slash:
            return [f"{name}/" for name in _arms(store, study)]
        return [place.label for place in find_places(store, store.study(study).name, arm)]

    return _complete(ctx, incomplete, names)


def runs_and_arms(ctx: typer.Context, incomplete: str) -> list[str]:
    """Arms, and runs once a slash is typed."""
    return [*arms(ctx, incomplete), *runs(ctx, incomplete)]


def anything(ctx: typer.Context, incomplete: str) -> list[str]:
    """Studies, arms and runs."""
    return [*studies(ctx, incomplete), *runs_and_arms(ctx, incomplete)]


def _arms(store: Store, study: str | None) -> list[str]:
    return [arm.name for arm in store.arms(store.study(study).name)]


def _complete(
    ctx: typer.Context,
    incomplete: str,
    find: Callable[[Store, str | None], list[str]],
    *,
    needs_study: bool = True,
) -> list[str]:
    """Names that begin so. None, rather than an error, if the store or the study cannot be read."""
    from sweep.workspace import Workspace
    from trainer.errors import UserError

    workspace = Workspace(Path(ctx.params.get("runs") or "runs"), ctx.params.get("db"))
    study = ctx.params.get("study") if needs_study else None
    try:
        store = workspace.open_to_read_if_any()
        if store is None:
            return []
        names = find(store, workspace.study_name(None if study is None else str(study)))
    except UserError:
        return []
    return [name for name in names if name.startswith(incomplete)]
