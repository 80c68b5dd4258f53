"""Commands that change the runs of a study choose it, or ask, and say which it is."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sweep.commands.control import cancel, pause, resume, retry
from sweep.design.arms import make_plan
from sweep.errors import NotFoundError
from sweep.queue.presence import present
from sweep.store.store import Store
from sweep.study.file import parse_study
from sweep.terminal.console import SafeConsole
from sweep.workspace import Workspace
from tests.sweep.stores import save


@pytest.fixture
def workspace(store: Store, content: dict[str, Any], tmp_path: Path) -> Workspace:
    """Three studies, of which `third` was last run."""
    for number, name in enumerate(("first", "second", "third"), 1):
        plan = {**content, "name": name, "baseline": {"model": {"width": 16 * number, "heads": 2}}}
        save(store, make_plan(parse_study(plan, "s.toml"), "s.toml"), tmp_path / f"{name}.toml")
    return Workspace(tmp_path / "runs")


@pytest.fixture
def training() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def console() -> SafeConsole:
    return SafeConsole(file=io.StringIO(), width=200)


def said(console: SafeConsole) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    console.file.truncate(console.file.seek(0))
    return lines


def test_the_study_that_is_being_trained_is_paused_and_not_the_one_last_run(
    workspace: Workspace, store: Store, training: ExitStack, console: SafeConsole
) -> None:
    training.enter_context(present(store, "second"))
    pause(workspace, None, console)
    first, second = said(console)
    assert first == "Study: second, the one that is being trained."
    assert second.startswith("second is paused: ")
    cancel(workspace, "clip/1", None, console)
    assert said(console)[1].startswith("1 of 1 run of second cancelled")
    resume(workspace, None, console)
    assert said(console)[0] == "Study: second, the one that is paused."


def test_if_several_are_being_trained_one_has_to_be_named(
    workspace: Workspace, store: Store, training: ExitStack, console: SafeConsole
) -> None:
    for name in ("first", "second"):
        training.enter_context(present(store, name))
    for change in (pause, lambda *words: retry(*words[:1], None, *words[1:])):
        with pytest.raises(
            NotFoundError, match=r"^second and first are being trained; add the name"
        ):
            change(workspace, None, console)
    pause(workspace, "first", console)
    assert len(said(console)) == 1


def test_otherwise_it_is_the_study_last_run(workspace: Workspace, console: SafeConsole) -> None:
    retry(workspace, None, None, console)
    assert said(console)[0] == "Study: third, the one last run."


def test_the_only_study_is_not_announced(
    store: Store, content: dict[str, Any], tmp_path: Path, console: SafeConsole
) -> None:
    save(store, make_plan(parse_study(content, "s.toml"), "s.toml"), tmp_path / "s.toml")
    pause(Workspace(tmp_path / "runs"), None, console)
    assert [line.split(":")[0] for line in said(console)] == ["tiny is paused"]
