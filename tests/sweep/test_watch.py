"""`sweep watch`: the progress of a study that another process trains, from its database and files."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path

import pytest

from analysis.tables.table import signed
from sweep.commands.watch import WatchRequest, watch
from sweep.errors import NotFoundError, StoreError
from sweep.progress.event_file import BaselineCurves
from sweep.progress.follower import Follower
from sweep.queue.control import pause
from sweep.store.places import find_places
from sweep.store.store import Store
from sweep.terminal.console import SafeConsole
from sweep.terminal.units import supported_decimals
from sweep.upkeep.studies import delete_study
from sweep.verdicts.decimals import decimals
from sweep.verdicts.judge import make_report
from sweep.verdicts.standings import surroundings_of
from sweep.workspace import Workspace
from tests.patience import PATIENCE
from tests.sweep.one_by_one import OneByOne
from trainer.rundir.directory import Event


def seen(workspace: Workspace, word: str | None = None) -> str:
    console = SafeConsole(file=io.StringIO())
    with console.capture() as captured:
        assert watch(workspace, WatchRequest(word), console) == 0
    return captured.get()


def test_without_a_terminal_the_display_is_printed_once(filled: Store, tmp_path: Path) -> None:
    assert filled.file
    shown = seen(Workspace(tmp_path / "runs"), "tiny")
    assert " 5/6 " in shown
    assert "no command trains it" in shown
    assert "1 failed" in shown
    assert shown.count("baseline") == 1


def test_a_running_run_is_shown_with_its_steps_and_its_loss(filled: Store, tmp_path: Path) -> None:
    queue = OneByOne(filled, "host:1:1")
    (waiting,) = [place.run_id for place in find_places(filled, "tiny") if place.state == "queued"]
    assert queue.claim(waiting)
    assert filled.ledger
    directory = filled.ledger.run(waiting)
    directory.path.mkdir()
    directory.events.write_text(Event(step=4, loss=3.25, tokens_per_second=100.0).line)
    shown = seen(Workspace(tmp_path / "runs"))
    assert "host" in shown
    assert " 4/16 " in shown
    assert "3.250" in shown


def test_what_ends_while_it_is_watched_is_told_once(filled: Store, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "runs")
    study = filled.study("tiny")
    follower = Follower(workspace, filled, study, surroundings_of(filled, "tiny", workspace.folder))
    assert follower.update() == []
    queue = OneByOne(filled, "host:1:1")
    (waiting,) = [place.run_id for place in follower.places if place.state == "queued"]
    assert queue.claim(waiting)
    assert follower.update() == []
    queue.fail(waiting, "no luck", None, retry=False)
    (news,) = follower.update()
    assert news.line.endswith("failed: no luck")
    assert follower.update() == []
    assert follower.is_over
    assert follower.screen(trained=False).left == "all runs have ended"


@pytest.mark.parametrize("trained", [True, False])
def test_a_paused_study_is_said_to_be_paused(filled: Store, tmp_path: Path, trained: bool) -> None:
    pause(filled, "tiny")
    workspace = Workspace(tmp_path / "runs")
    surroundings = surroundings_of(filled, "tiny", workspace.folder)
    follower = Follower(workspace, filled, filled.study("tiny"), surroundings)
    follower.update()
    assert follower.screen(trained=trained).left == "paused"


def test_a_study_that_is_deleted_while_it_is_watched_is_an_error(
    filled: Store, tmp_path: Path
) -> None:
    terminal = io.StringIO()
    console = SafeConsole(file=terminal, force_terminal=True, width=80, height=24)
    until = time.monotonic() + PATIENCE

    def delete() -> None:
        while not terminal.getvalue() and time.monotonic() < until:
            time.sleep(0.05)
        delete_study(filled, filled.study("tiny"), with_runs=False)

    other = threading.Thread(target=delete)
    other.start()
    with pytest.raises(NotFoundError, match="has no study"):
        watch(Workspace(tmp_path / "runs"), WatchRequest("tiny"), console)
    other.join()


def test_a_display_waits_for_the_baselines_runs_while_the_database_cannot_be_read(
    filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    surroundings = surroundings_of(filled, "tiny", tmp_path)
    curves = BaselineCurves(tmp_path, surroundings.baseline_runs)
    own = {1: Event(step=1, loss=3.0)}

    def fail(*_arguments: object) -> None:
        raise StoreError("the server is away")

    with monkeypatch.context() as away:
        away.setattr("sweep.verdicts.standings.find_places", fail)
        assert curves.difference(1, own) is None
    (name,) = [name for seed, name in surroundings.baseline_runs().items() if seed == 1]
    (tmp_path / name).mkdir()
    (tmp_path / name / "events.jsonl").write_text(Event(step=1, loss=2.5).line)
    assert curves.difference(1, own) == 0.5


def test_the_numbers_of_a_display_are_those_of_the_report(filled: Store, tmp_path: Path) -> None:
    shown = seen(Workspace(tmp_path / "runs"), "tiny").split()
    report = make_report(filled, filled.study("tiny"))
    most = decimals(report)
    judged = [arm for arm in report.arms if arm.effect]
    effects = [signed(arm.effect, supported_decimals(*arm.interval, most)) for arm in judged]
    assert effects
    assert set(effects) <= set(shown)
