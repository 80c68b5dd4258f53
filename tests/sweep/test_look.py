"""The output of `sweep show` and `sweep log`, and the advice to call them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweep.commands.control import retry
from sweep.commands.look import LogRequest, log
from sweep.commands.show import ShowRequest, show
from sweep.commands.training import EXIT_INCOMPLETE, conclude
from sweep.design.arms import make_plan
from sweep.errors import NotFoundError
from sweep.models.find import model_folder
from sweep.store.find_run import find_run, seed_words
from sweep.store.ledger import directory_name
from sweep.store.store import Store
from sweep.study.file import parse_study
from sweep.terminal.console import SafeConsole
from sweep.workload.job import Job
from sweep.workspace import Workspace
from tests.sweep.one_by_one import OneByOne
from tests.sweep.stores import save


@pytest.fixture
def workspace(filled: Store, tmp_path: Path) -> Workspace:
    assert filled.file
    return Workspace(tmp_path / "runs")


@pytest.fixture
def said() -> Callable[[Callable[[SafeConsole], int]], str]:
    def call(command: Callable[[SafeConsole], int]) -> str:
        console = SafeConsole(file=io.StringIO())
        with console.capture() as captured:
            command(console)
        return captured.get()

    return call


@pytest.fixture
def later(filled: Store, content: dict[str, Any]) -> str:
    """A study that was run later, with another baseline and the same arms under other names."""
    content["name"] = "later"
    content["baseline"]["model"]["layers"] = 2
    for name in list(content["interventions"]):
        content["interventions"][f"new-{name}"] = content["interventions"].pop(name)
    save(filled, make_plan(parse_study(content, "s.toml"), "s.toml"), Path("later.toml"))
    return "later"


@pytest.mark.usefixtures("later")
def test_an_arm_and_seed_that_only_one_study_has_need_no_study(
    workspace: Workspace, filled: Store, said: Callable[..., str]
) -> None:
    run_id = find_run(filled, "clip/1", "tiny").run.id
    shown = json.loads(
        said(lambda console: show(workspace, ShowRequest("clip/1", None, "json"), console))
    )
    assert (shown["id"], shown["study"]) == (run_id, "tiny")
    told = said(lambda console: log(workspace, LogRequest("clip/1", None), console))
    first, attempt, *_ = told.splitlines()
    assert first == f"clip/1 of tiny, run {run_id[:12]}"
    assert attempt.endswith("disk full")


def test_the_study_of_an_arm_and_seed_can_be_named(
    workspace: Workspace, later: str, said: Callable[..., str]
) -> None:
    layers = {
        study: json.loads(
            said(
                lambda c, study=study: show(workspace, ShowRequest("baseline/1", study, "json"), c)
            )
        )["recipe"]["model"]["layers"]
        for study in ("tiny", later, None)
    }
    assert layers == {"tiny": 1, later: 2, None: 2}


def test_the_log_of_a_queued_run_says_that_it_has_not_started(
    workspace: Workspace, said: Callable[..., str]
) -> None:
    told = said(lambda console: log(workspace, LogRequest("clip/2", None), console))
    assert told.splitlines()[1:] == ["The run is queued and has not started."]


def test_the_log_of_a_run_without_output_says_what_there_is_instead(
    workspace: Workspace, filled: Store, said: Callable[..., str]
) -> None:
    run_id = find_run(filled, "clip/1").run.id
    directory = workspace.folder / directory_name(run_id)
    shown = f"`sweep show {run_id[:12]}` has what was recorded."

    def last_line() -> str:
        told = said(lambda console: log(workspace, LogRequest("clip/1", None), console))
        return told.splitlines()[-1]

    assert last_line() == f"{directory} is gone, and the log with it; {shown}"
    directory.mkdir()
    (directory / "log").touch()
    assert last_line() == f"The run has printed nothing. {directory} is empty; {shown}"
    (directory / "recipe.json").write_text("{}")
    assert last_line() == f"The run has printed nothing. {directory} has recipe.json; {shown}"


def test_the_advice_after_a_failure_names_the_failed_run_by_its_id(
    filled: Store, jobs: list[Job], said: Callable[..., str]
) -> None:
    again = replace(jobs[0], run_id=f"{jobs[0].run_id}-again", repeat_of=jobs[0].run_id)
    queue = OneByOne(filled, "me:1:1")
    queue.enqueue([*jobs, again])
    for job in (jobs[0], again):
        assert queue.claim(job.run_id)
        queue.fail(job.run_id, "disk full", None, retry=False)
        told = said(lambda console, job=job: conclude(filled, {"baseline/1": job}, console))
        word = told.split("`sweep log ")[1].split("`")[0]
        assert find_run(filled, word).run.id == job.run_id
    assert conclude(filled, {"x": again}, SafeConsole(file=io.StringIO())) == EXIT_INCOMPLETE


@pytest.mark.parametrize("word", ["/no/such/folder", "qqq/9", "gpt3"])
def test_the_error_for_an_unknown_model_says_that_it_is_neither_folder_nor_run(
    workspace: Workspace, word: str
) -> None:
    with pytest.raises(NotFoundError) as error:
        model_folder(workspace, word, None)
    assert str(error.value).startswith(
        f"there is no folder {word!r}, and there is no run {word!r}; name a run by "
    )


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("clip/9", "; the arm 'clip' of tiny has the seeds 1 to 2"),
        ("clip/-1", "; the arm 'clip' of tiny has the seeds 1 to 2"),
        ("clip/", "; the arm 'clip' of tiny has the seeds 1 to 2"),
        ("clip/x", "; the arm 'clip' of tiny has the seeds 1 to 2"),
        ("clip", "; the arm 'clip' of tiny has the seeds 1 to 2: name 'clip/1'"),
        ("no-dropuot/2", "; did you mean 'no-dropout/2'?"),
        ("No-Dropout/7", "; did you mean 'no-dropout/1'?"),
        ("cilp", "; did you mean 'clip/1'?"),
    ],
)
def test_the_error_for_an_unknown_run_says_which_runs_there_are(
    filled: Store, word: str, advice: str
) -> None:
    with pytest.raises(NotFoundError) as error:
        find_run(filled, word)
    assert str(error.value) == f"there is no run {word!r}{advice}"


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        ([3], "seed 3"),
        ([1, 2, 3], "seeds 1 to 3"),
        ([11, 12, 15], "seeds 11, 12 and 15"),
        (list(range(0, 40, 2)), "20 seeds 0, 2, … 38"),
    ],
)
def test_seeds_are_told_in_few_words(seeds: list[int], words: str) -> None:
    assert seed_words(seeds) == words


def test_the_error_for_an_unknown_arm_names_a_similar_one(workspace: Workspace) -> None:
    for word in ("no-dropuot", "baselin"):
        with pytest.raises(NotFoundError, match=rf"^tiny has no arm '{word}'; did you mean '"):
            retry(workspace, word, "tiny", SafeConsole(file=io.StringIO()))
