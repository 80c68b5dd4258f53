"""A shell completes names of studies, arms and runs, and is never answered with an error."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from sweep.cli import app
from sweep.store.store import Store


def completed(folder: Path, *words: str) -> list[str]:
    """The answer to bash when the last of these words is completed."""
    typed = ["sweep", words[0], "--runs", str(folder), *words[1:]]
    asked = {
        "_SWEEP_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(typed),
        "COMP_CWORD": str(len(typed) - 1),
    }
    done = CliRunner().invoke(app, env=asked, prog_name="sweep")
    assert not done.exception or isinstance(done.exception, SystemExit), done.exception
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("report", "ti"), ["tiny"]),
        (("show", "no-"), ["no-dropout", "no-dropout/"]),
        (("show", "no-dropout/"), ["no-dropout/1", "no-dropout/2"]),
        (("show", "--study", "tiny", "cl"), ["clip", "clip/"]),
        (("show", "--study", "nope", "clip/"), []),
        (("show", "--study", "nope", "cl"), []),
        (("show", "--study", "missing.toml", "clip/"), []),
    ],
)
def test_a_shell_completes_names(
    filled: Store, tmp_path: Path, words: tuple[str, ...], answer: list[str]
) -> None:
    assert filled.file
    assert completed(tmp_path / "runs", *words) == answer


def test_without_results_nothing_is_completed(tmp_path: Path) -> None:
    assert completed(tmp_path / "runs", "show", "b") == []
