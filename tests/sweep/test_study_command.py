"""`sweep study`: rename and delete studies, notes and tags."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweep.commands.studies import DeleteRequest, delete, list_studies, note, rename, tag
from sweep.design.arms import make_plan
from sweep.errors import StudyError
from sweep.history.record import save_plan
from sweep.queue.presence import present
from sweep.queue.queue import Queue
from sweep.store.ledger import directory_name, study_file
from sweep.store.places import find_places
from sweep.store.store import Store
from sweep.study.file import parse_study
from sweep.study.names import trials_name
from sweep.terminal.console import SafeConsole
from sweep.upkeep.studies import find_belongings
from sweep.verdicts.judge import make_report
from sweep.workspace import Workspace
from tests.sweep.jobs import make_gpt_job
from trainer.recipe import Recipe

Said = Callable[[Callable[[Workspace, SafeConsole], int]], str]


@pytest.fixture
def said(filled: Store, tmp_path: Path) -> Said:
    assert filled.file

    def call(command: Callable[[Workspace, SafeConsole], int]) -> str:
        seen = io.StringIO()
        assert command(Workspace(tmp_path / "runs"), SafeConsole(file=seen)) == 0
        return seen.getvalue()

    return call


@pytest.fixture
def sharing(filled: Store, content: dict[str, Any]) -> str:
    """The name of a study that has two arms of `tiny`, and no others."""
    return share(filled, content, "sharing")


def share(filled: Store, content: dict[str, Any], name: str) -> str:
    content["name"] = name
    content["interventions"] = {"clip": content["interventions"]["clip"]}
    plan = make_plan(parse_study(content, "s.toml"), "s.toml")
    ids = {(each.arm, each.seed): each.run_id for each in find_places(filled, "tiny")}
    save_plan(
        filled,
        plan,
        Path("s.toml"),
        {cell: ids[cell] for cell in ids if cell[0] in {"baseline", "clip"}},
    )
    return name


def removing(*, with_runs: bool = False, yes: bool = True) -> DeleteRequest:
    return DeleteRequest(
        study="tiny", with_runs=with_runs, yes=yes, confirm=lambda _question: False
    )


def test_a_renamed_study_keeps_its_runs_and_its_verdicts(filled: Store, said: Said) -> None:
    before = make_report(filled, filled.study("tiny"))
    told = said(lambda work, console: rename(work, "tiny", "small", console))
    assert told.startswith("tiny is now small.")
    after = make_report(filled, filled.study("small"))
    assert after.study == "small"
    assert after.judgement == before.judgement
    assert [study.name for study in filled.studies()] == ["small"]
    assert filled.ledger
    files = [path.name for path in filled.ledger.studies()]
    assert files == [study_file("small")]


@pytest.mark.parametrize("name", ["tiny", "", "x" * 65, "../up"])
def test_a_name_that_is_taken_or_is_none_is_refused(said: Said, name: str) -> None:
    with pytest.raises(StudyError, match=r"is not a name; names are|already; choose another"):
        said(lambda work, console: rename(work, "tiny", name, console))


def test_a_study_that_is_being_trained_is_neither_renamed_nor_deleted(
    filled: Store, said: Said
) -> None:
    with present(filled, "tiny"):
        with pytest.raises(StudyError, match="tiny is being trained"):
            said(lambda work, console: rename(work, "tiny", "small", console))
        with pytest.raises(StudyError, match="tiny is being trained"):
            said(lambda work, console: delete(work, removing(), console))


def test_a_deleted_study_leaves_its_results(filled: Store, said: Said, tmp_path: Path) -> None:
    places = find_places(filled, "tiny")
    done = {place.run_id for place in places if place.state == "done"}
    told = said(lambda work, console: delete(work, removing(), console))
    assert "Of 6 runs that no other study has, those that have begun stay" in told
    assert filled.studies() == []
    assert done <= filled.states([place.run_id for place in places]).keys()
    assert not any((tmp_path / "runs" / "studies").glob("*.json"))


def test_its_runs_are_deleted_on_request_except_those_that_others_share(
    filled: Store, said: Said, sharing: str
) -> None:
    found = find_belongings(filled, filled.study("tiny"))
    assert found.shared == {sharing: 4}
    assert len(found.own) == 2
    told = said(lambda work, console: delete(work, removing(with_runs=True), console))
    assert "Runs that are shared with other studies stay: sharing (4)." in told
    assert "tiny was deleted, and 2 runs." in told
    assert len(find_places(filled, sharing)) == 4
    assert filled.states(found.own) == {}
    assert make_report(filled, filled.study(sharing)).study == sharing


def test_runs_whose_weights_others_start_from_are_not_deleted(
    filled: Store, said: Said, tmp_path: Path
) -> None:
    (place, *_) = find_places(filled, "tiny")
    folder = str(tmp_path / "runs" / directory_name(place.run_id))
    seeds = {"init": 1, "order": 1, "dropout": 1}
    recipe = Recipe.model_validate({"train": {"initial_weights": folder}, "seeds": seeds})
    Queue(filled, "me:1:1").enqueue([make_gpt_job(recipe)])
    told = said(lambda work, console: delete(work, removing(with_runs=True), console))
    assert "1 run with weights that other studies start from will stay." in told
    assert "tiny was deleted, and 5 runs." in told
    assert place.run_id in filled.states([place.run_id])


def test_runs_that_another_study_takes_during_the_question_are_not_deleted(
    filled: Store, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    def confirm(_question: str) -> bool:
        assert request.getfixturevalue("sharing") == "sharing"
        return True

    console = SafeConsole(file=io.StringIO())
    removal = DeleteRequest(study="tiny", with_runs=True, confirm=confirm)
    assert delete(Workspace(tmp_path / "runs"), removal, console) == 0
    assert len(find_places(filled, "sharing")) == 4


def test_a_study_is_deleted_before_its_search_and_is_not_renamed(
    filled: Store, said: Said, content: dict[str, Any]
) -> None:
    share(filled, content, trials_name("tiny"))
    with pytest.raises(StudyError, match="tiny has the search tiny-trials"):
        said(lambda work, console: rename(work, "tiny", "small", console))
    said(lambda work, console: delete(work, removing(), console))
    assert [study.name for study in filled.studies()] == ["tiny-trials"]


def test_nothing_is_deleted_without_a_yes(filled: Store, said: Said) -> None:
    told = said(lambda work, console: delete(work, removing(yes=False), console))
    assert told.endswith("Nothing was deleted.\n")
    assert filled.study("tiny")


def test_notes_and_tags_are_kept_and_listed(said: Said) -> None:
    said(lambda work, console: note(work, "tiny", "on the old machine", console))
    assert said(lambda work, console: note(work, "tiny", None, console)) == "on the old machine\n"
    assert said(lambda work, console: tag(work, "tiny", ["b", "a"], console)) == "a b\n"
    (listed,) = json.loads(said(lambda work, console: list_studies(work, console, "json")))
    assert (listed["note"], listed["tags"]) == ("on the old machine", ["a", "b"])
    said(lambda work, console: tag(work, "tiny", ["a", "b"], console, remove=True))
    said(lambda work, console: note(work, "tiny", "", console))
    assert "old machine" not in said(list_studies)
