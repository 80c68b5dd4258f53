"""What a shell completes: names of studies, arms and runs in the folder of results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from sweep.store.store import Store


def studies(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of studies; the shell itself completes study files."""
    store = _store(ctx)
    names = [study.name for study in store.studies()] if store else []
    return _matching(names, incomplete)


def arms(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of the arms of the study that was named, or of the one last run."""
    store = _store(ctx)
    return _matching(_arms(store, ctx), incomplete) if store else []


def runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Runs of that study as ARM/SEED, once the arm is typed; before that, its arms with a slash."""
    from sweep.store.places import find_places

    store = _store(ctx)
    if store is None:
        return []
    arm, slash, _ = incomplete.rpartition("/")
    if not slash:
        return _matching([f"{name}/" for name in _arms(store, ctx)], incomplete)
    name = store.study(_study(ctx)).name
    return _matching([place.label for place in find_places(store, name, arm)], incomplete)


def runs_and_arms(ctx: typer.Context, incomplete: str) -> list[str]:
    """Arms, and runs once a slash is typed."""
    return [*arms(ctx, incomplete), *runs(ctx, incomplete)]


def anything(ctx: typer.Context, incomplete: str) -> list[str]:
    """Studies, arms and runs."""
    return [*studies(ctx, incomplete), *runs_and_arms(ctx, incomplete)]


def _store(ctx: typer.Context) -> Store | None:
    """The store that the command line names; None if there is none: then nothing is completed."""
    from sweep.workspace import Workspace
    from trainer.errors import UserError

    folder = ctx.params.get("runs") or Path("runs")
    try:
        return Workspace(Path(folder), ctx.params.get("db")).open_to_read_if_any()
    except UserError:
        return None


def _study(ctx: typer.Context) -> str | None:
    return ctx.params.get("study")


def _arms(store: Store, ctx: typer.Context) -> list[str]:
    from sweep.errors import NotFoundError

    try:
        return [arm.name for arm in store.arms(store.study(_study(ctx)).name)]
    except NotFoundError:
        return []


def _matching(names: list[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
