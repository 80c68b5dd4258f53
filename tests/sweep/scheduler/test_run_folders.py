"""The scheduler and the folders of its runs: results, curves and checkpoints that are there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.queue.changes import Claim
from sweep.store.find_run import find_run
from sweep.store.ledger import directory_name
from sweep.workload.job import Job
from tests.sweep.rehearsal import Behaviour, Desk, folder_of
from trainer.rundir.directory import Event, Result, RunDirectory
from trainer.rundir.exits import Exit
from trainer.rundir.request import Request


def test_a_run_directory_gets_the_recipe_and_the_corpus_of_its_run(
    desk: Callable[..., Desk], succeed: Behaviour, jobs: list[Job]
) -> None:
    made = desk(succeed)
    made.scheduler.run(jobs)
    for job in jobs:
        request = RunDirectory(folder_of(made, job)).read_request()
        assert (request.recipe, request.corpus_hash) == (job.spec.recipe, job.corpus_hash)


def test_a_run_that_exits_as_done_without_a_result_has_failed(
    desk: Callable[..., Desk], jobs: list[Job]
) -> None:
    made = desk(lambda _directory, _number: Exit.DONE, retries=0)
    assert made.scheduler.run(jobs[:1]).failed == 1


def test_the_failure_for_a_damaged_result_says_what_to_do(
    desk: Callable[..., Desk], jobs: list[Job]
) -> None:
    def scribble(directory: RunDirectory, _number: int) -> int:
        directory.result.write_text("{")
        return Exit.DONE

    made = desk(scribble, retries=0)
    assert made.scheduler.run(jobs[:1]).failed == 1
    cause = find_run(made.store, jobs[0].run_id).run.cause
    assert (
        cause
        == f"{folder_of(made, jobs[0])}/result.json is damaged; remove it and train the run again"
    )


@pytest.mark.parametrize("obstacle", ["the folder", "events.jsonl", "result.json", "log.txt"])
def test_a_folder_that_cannot_be_used_fails_only_its_own_run(
    desk: Callable[..., Desk], succeed: Behaviour, jobs: list[Job], obstacle: str
) -> None:
    def look(directory: RunDirectory, number: int) -> int | None:
        return Exit.FAILED if directory.log.is_dir() else succeed(directory, number)

    made = desk(look, retries=1)
    folder = folder_of(made, jobs[0])
    if obstacle == "the folder":
        folder.parent.mkdir(exist_ok=True)
        folder.write_text("in the way")
    else:
        (folder / obstacle).mkdir(parents=True)
    summary = made.scheduler.run(jobs)
    assert (summary.finished, summary.failed) == (5, 1)
    run = find_run(made.store, jobs[0].run_id).run
    assert run.state == "failed"
    assert str(folder) in run.cause
    assert "damaged" not in run.cause
    assert len(made.store.attempts(jobs[0].run_id)) == 2


def test_an_existing_result_is_recorded_without_training(
    desk: Callable[..., Desk],
    succeed: Behaviour,
    make_result: Callable[..., Result],
    jobs: list[Job],
) -> None:
    made = desk(succeed)
    directory = RunDirectory(folder_of(made, jobs[3]))
    directory.path.mkdir(parents=True)
    directory.write_result(make_result(test_loss=1.25))
    assert made.scheduler.run(jobs).finished == 6
    assert directory.path not in made.executor.started
    assert find_run(made.store, jobs[3].run_id).run.test_loss == 1.25


def test_the_curve_of_an_earlier_attempt_is_not_shown_as_that_of_the_next(
    desk: Callable[..., Desk], succeed: Behaviour, events: list[Event], jobs: list[Job]
) -> None:
    made = desk(succeed)
    directory = RunDirectory(folder_of(made, jobs[0]))
    directory.path.mkdir(parents=True)
    directory.events.write_text(events[0].model_dump_json() + "\n" + '{"step": 7, "lo')
    made.scheduler.run(jobs[:1])
    assert [point.step for point in made.store.curve(jobs[0].run_id)] == [1, 2]


def test_the_name_of_a_run_folder_is_short_and_a_rerun_has_its_own_folder(
    make_job: Callable[[int], Job],
) -> None:
    run_id = make_job(1).run_id
    assert directory_name(run_id) == run_id[:16]
    assert directory_name(f"{run_id}-again") == f"{run_id[:16]}-again"


def test_the_watcher_gets_each_line_of_the_curve_as_it_is_written(
    tmp_path: Path, make_job: Callable[[int], Job], events: list[Event]
) -> None:
    from sweep.running.attempt import Running  # noqa: PLC0415

    directory = RunDirectory(tmp_path)
    running = Running(make_job(1), "place 0", directory, Claim("run", 1, 0))
    assert running.new_events() == []
    directory.events.mkdir()  # by the script
    assert running.progress() == []
    directory.events.rmdir()
    line = events[0].model_dump_json()
    directory.events.write_text(f"{line}\n{line[:10]}")
    assert running.new_events() == events[:1]
    assert running.new_events() == []
    with directory.events.open("a") as file:
        file.write(line[10:] + "\n" + json.dumps(events[1].model_dump()) + "\n")
    assert running.new_events() == [events[0], events[1]]


def test_checkpoints_beside_an_existing_result_are_removed(
    desk: Callable[..., Desk], succeed: Behaviour, jobs: list[Job]
) -> None:
    made = desk(succeed)
    folder = RunDirectory(folder_of(made, jobs[0]))
    folder.write_request(Request(recipe=jobs[0].spec.recipe))
    succeed(folder, 1)
    folder.checkpoints.mkdir()
    made.scheduler.run(jobs)
    assert folder.path not in made.executor.started
    assert not folder.checkpoints.exists()
