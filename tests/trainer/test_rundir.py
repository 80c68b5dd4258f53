from __future__ import annotations

from pathlib import Path

import pytest

from tests.disks import fill_disk, small_disk
from trainer.errors import RunDirectoryError
from trainer.recipe import Recipe
from trainer.rundir.directory import Event, Result, RunDirectory
from trainer.rundir.request import Request

EVENT = Event(step=3, loss=2.5, learning_rate=1e-3, grad_norm=None, tokens_per_second=9.0)
RESULT = Result(
    state="done",
    test_loss=1.5,
    chunk_losses=[1.0, 2.0],
    steps=3,
    tokens=9,
    started=1.0,
    first_step=2.0,
    finished=3.0,
    tokens_per_second=4.5,
    provenance={"commit": None},
)


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    (tmp_path / "run").mkdir()
    return RunDirectory(tmp_path / "run")


def test_a_request_is_read_as_it_was_written(tmp_path: Path, recipe: Recipe) -> None:
    directory = RunDirectory(tmp_path / "new" / "run")
    request = Request(recipe=recipe, corpus_hash="5" * 64, cache="../../cache")
    directory.write_request(request)
    assert directory.read_request() == request


def test_a_result_is_read_as_it_was_written(directory: RunDirectory) -> None:
    assert directory.read_result() is None
    directory.write_result(RESULT)
    assert directory.read_result() == RESULT
    assert [path.name for path in directory.path.iterdir()] == ["result.json"]


def test_a_full_disk_while_writing_a_result_gives_a_message_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "disk", 2**16) as disk:
        fill_disk(disk, leave=0)
        directory = RunDirectory(disk)
        with pytest.raises(RunDirectoryError) as refused:
            directory.write_result(RESULT)
        assert str(refused.value) == (
            f"{directory.result} cannot be written (No space left on device); free some space, or "
            "make it writable, and run again"
        )
        assert [path.name for path in disk.iterdir()] == ["filler"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", ": Invalid JSON: EOF while parsing an object at line 1 column 1"),
        ("{}", ": recipe: Field required"),
        ('{"recipe": {}}', ": recipe.seeds: Field required"),
        (
            '{"recipe": {"seeds": {"init": 1, "order": 1, "dropout": 1}, "model": {"width": 8}}}',
            ": recipe.model: width = 8 cannot be divided among heads = 12; heads must divide the width, the nearest that does is 8",
        ),
    ],
)
def test_an_invalid_recipe_is_refused_naming_file_and_field(
    directory: RunDirectory, content: str, message: str
) -> None:
    directory.recipe.write_text(content)
    with pytest.raises(RunDirectoryError) as refused:
        directory.read_request()
    assert str(refused.value) == f"{directory.recipe}{message}"


@pytest.mark.parametrize("content", ["", "{}", '{"state": "don'])
def test_a_damaged_result_is_refused_with_the_remedy(directory: RunDirectory, content: str) -> None:
    directory.result.write_text(content)
    with pytest.raises(RunDirectoryError) as refused:
        directory.read_result()
    assert str(refused.value) == (
        f"{directory.result} is damaged; remove it and train the run again"
    )


def test_an_unfinished_line_is_not_an_event(directory: RunDirectory) -> None:
    assert directory.read_events() == []
    line = EVENT.model_dump_json()
    directory.events.write_text(f"{line}\n{line[:20]}")
    assert directory.read_events() == [EVENT]


def test_the_last_line_of_the_log_is_found(directory: RunDirectory) -> None:
    assert directory.last_log_line() == ""
    directory.log.write_bytes(b"Traceback\n  deep \xff\nMemoryError: no more\n\n")
    assert directory.last_log_line() == "MemoryError: no more"


def test_only_temporary_files_of_killed_attempts_are_removed(
    tmp_path: Path,
) -> None:
    for name in (".recipe.json.4711.tmp", ".tmpdAttf2", ".ranks-4711", "log.txt"):
        (tmp_path / name).touch()
    RunDirectory(tmp_path).remove_leftovers()
    assert [path.name for path in tmp_path.iterdir()] == ["log.txt"]


def test_two_events_of_one_step_count_as_one(directory: RunDirectory) -> None:
    with directory.open_events(0) as file:
        for loss in (3.0, 2.0):
            event = Event(
                step=1, loss=loss, learning_rate=0.1, grad_norm=None, tokens_per_second=9.0
            )
            file.write(event.model_dump_json() + "\n")
    assert [event.loss for event in directory.read_events()] == [2.0]
