"""Errors of the command line: one sentence, with what to do."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


def test_the_error_for_an_unknown_study_suggests_a_similar_one(folder: Path, sweep: Run) -> None:
    for command in ("report", "status", "noise"):
        done = sweep(folder, command, "tinny")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            "sweep: runs/sweep.db has no study 'tinny'; did you mean 'tiny'? (it has: tiny)\n"
        )


def test_an_error_is_wrapped_between_words_on_a_terminal(
    folder: Path, sweep: Run, environment: dict[str, str]
) -> None:
    done = sweep(folder, "show", "clip/9", variables={**environment, "FORCE_COLOR": "1"})
    lines = [line.rstrip() for line in done.stderr.splitlines()]
    assert 40 < max(map(len, lines)) <= 80
    plain = sweep(folder, "show", "clip/9")
    assert " ".join(lines) == plain.stderr.rstrip()


def test_without_a_study_commands_say_how_to_create_one(empty: Path, sweep: Run) -> None:
    (empty / "s.toml").unlink()
    for command in ("report", "status", "list"):
        done = sweep(empty, command)
        assert done.returncode == 2
        assert done.stderr == (
            f"sweep: {empty / 'runs/sweep.db'} does not exist yet; `sweep run STUDY` trains a study "
            "and creates it; for results in another folder, name that with --runs DIR\n"
        )
    done = sweep(empty, "noise")
    assert done.stderr == (
        "sweep: no study was run here yet; name a study file (`sweep init` writes one)\n"
    )
    assert list(empty.iterdir()) == []


def test_markup_in_a_path_is_printed_literally(folder: Path, sweep: Run, tmp_path: Path) -> None:
    odd = tmp_path / "[red]a[" / "b].toml"
    odd.parent.mkdir()
    done = sweep(tmp_path, "init", odd)
    assert done.returncode == 0
    assert str(odd) in done.stdout
    out = tmp_path / "[bold]:smile:.json"
    assert sweep(folder, "report", "--format", "json", "-o", out).stdout == f"Written to {out}.\n"


@pytest.mark.parametrize(
    "words",
    [
        ["compare", "clip", "{}"],
        ["show", "{}"],
        ["cancel", "{}"],
        ["study", "note", "tiny", "{}"],
        ["evals", "tiny", "--tasks", "{}"],
    ],
)
def test_a_word_that_is_no_utf_8_is_named(folder: Path, sweep: Run, words: list[str]) -> None:
    done = sweep(folder, *(word.format("a\udcff") for word in words))
    assert done.returncode == 2
    assert done.stderr == (
        "sweep: 'a\\udcff' is not UTF-8 text, as all names of studies, runs and tasks are\n"
    )


def test_a_word_that_is_longer_than_any_name_is_shortened(folder: Path, sweep: Run) -> None:
    done = sweep(folder, "compare", "clip", "x" * 60_000)
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"sweep: there is no run '{'x' * 59}…, which is longer than any; "
    )


def test_an_address_of_ray_for_another_executor_is_refused(folder: Path, sweep: Run) -> None:
    done = sweep(folder, "run", "s.toml", "--executor", "slurm", "--ray-address", "10.0.0.1:6379")
    assert done.returncode == 2
    assert "--ray-address is for --executor ray, not for --executor slurm" in " ".join(
        done.stderr.replace("│", " ").split()
    )
