"""A paused study: what `sweep run`, `pause`, `resume` and `status` say and do."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import update

from sweep.commands.control import pause, resume, retry
from sweep.commands.look import status
from sweep.commands.run import RunRequest, TrainOptions, run
from sweep.commands.training import EXIT_PAUSED
from sweep.executors.base import Ended
from sweep.progress.plain import PlainProgress
from sweep.queue import control
from sweep.queue.presence import is_present, present
from sweep.queue.queue import Queue
from sweep.running.scheduler import Scheduler
from sweep.running.settings import Settings
from sweep.store.schema import runs
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.study.jobs_section import Jobs
from sweep.terminal.console import SafeConsole
from sweep.workload.job import Job
from sweep.workspace import Workspace
from tests.sweep.rehearsal import Rehearsal

Say = Callable[..., str]


@pytest.fixture
def say(filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Calls a command in the folder of a study with a queued and a failed run; what it prints."""
    assert filled.study("tiny").path == str(tmp_path / "s.toml")
    monkeypatch.chdir(tmp_path)

    def call(command: Callable[..., int], *arguments: object, status: int = 0) -> str:
        console = SafeConsole(file=io.StringIO(), width=200)
        assert command(*arguments, console) == status
        return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]

    return call


HERE = Workspace(Path("runs"))


def test_run_of_a_paused_study_says_so_and_starts_nothing(
    say: Say, filled: Store, study_text: str, tmp_path: Path
) -> None:
    (tmp_path / "s.toml").write_text(study_text)
    assert say(pause, HERE, None) == (
        "tiny is paused: no command is training it, and none will start its runs. "
        "`sweep resume tiny` continues it.\n"
    )
    before = sorted(tmp_path.rglob("*")), filled.states([id_ for _, id_ in filled.run_ids("tiny")])
    assert say(run, HERE, RunRequest(Path("s.toml"), {}, TrainOptions()), status=EXIT_PAUSED) == (
        "tiny is paused, so 6 runs to train are not started. Type `sweep resume tiny`, then this "
        "command again.\n"
    )
    after = sorted(tmp_path.rglob("*")), filled.states([id_ for _, id_ in filled.run_ids("tiny")])
    assert after == before
    said = say(status, HERE, None)
    assert said.startswith("Paused: `sweep resume tiny` continues it.\ntiny (")


def test_pause_says_whether_a_command_is_training(say: Say, filled: Store) -> None:
    with present(filled, "tiny"):
        assert say(pause, HERE, None) == (
            "tiny is paused: its runs write a checkpoint and stop. `sweep resume tiny` continues it.\n"
        )
    assert say(pause, HERE, None).startswith("tiny was paused already: no command is training it")


def test_resume_names_the_command_to_type_if_none_is_waiting(
    say: Say, filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    control.pause(filled, "tiny")
    assert say(resume, HERE, None) == (
        "tiny is resumed. No command is training it: type `sweep run s.toml` to train its 2 "
        "missing runs.\n"
    )
    with present(filled, "tiny"):
        again = say(resume, HERE, None)
        assert again == "tiny was not paused: the command that is training it continues.\n"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    said = say(resume, Workspace(Path("../runs")), None)
    assert "type `sweep run ../s.toml --runs ../runs` to train" in said


def test_retry_says_what_trains_the_queued_runs(say: Say, filled: Store) -> None:
    def again() -> str:
        with filled.write() as connection:
            connection.execute(update(runs).values(state=RunState.FAILED))
        return say(retry, HERE, None, None)

    assert again() == ("6 of 6 runs of tiny queued again: type `sweep run s.toml` to train them.\n")
    with present(filled, "tiny"):
        assert "queued again: the command that is training the study trains them." in again()
    control.pause(filled, "tiny")
    assert "queued again: tiny is paused, `sweep resume tiny` continues it." in again()


def test_resume_says_that_there_is_nothing_left_to_train(say: Say, filled: Store) -> None:
    with filled.write() as connection:
        open_or_failed = runs.c.state.in_({RunState.QUEUED, RunState.FAILED})
        connection.execute(update(runs).where(open_or_failed).values(state=RunState.DONE))
    control.pause(filled, "tiny")
    assert say(resume, HERE, None) == "tiny is resumed, and has no runs left to train.\n"


def test_a_study_counts_as_trained_while_one_of_its_commands_runs(store: Store) -> None:
    assert not is_present(store, "tiny")
    with present(store, "tiny"):
        with present(store, "tiny"), present(store, "other"):
            assert is_present(store, "tiny")
            assert is_present(store, "other")
        assert is_present(store, "tiny")
        assert not is_present(store, "other")
    assert not is_present(store, "tiny")


def test_a_pause_before_the_first_run_starts_none(
    filled: Store, jobs: list[Job], tmp_path: Path
) -> None:
    queue = Queue(filled, "me:1:1")
    queue.enqueue(jobs)
    control.pause(filled, "tiny")
    seen = io.StringIO()
    watcher = PlainProgress(Console(file=seen, width=200), {}, len(jobs))
    executor = Interrupted(lambda _run, _number: 0)
    scheduler = Scheduler(queue, executor, tmp_path, watcher, Settings(Jobs(), "tiny"))
    executor.interrupt = scheduler.stop
    scheduler.run(jobs)
    assert executor.started == []
    assert executor.waited


class Interrupted(Rehearsal):
    """Interrupts the scheduler at its first wait."""

    interrupt: Callable[[], None]
    waited = False

    def wait(self, seconds: float) -> list[Ended]:
        self.waited = True
        self.interrupt()
        return super().wait(seconds)
