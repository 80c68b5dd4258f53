"""Every command that a page shows is run, in the order of the page, and does what it should."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.pages import PAGES, ROOT, Shown, shown_commands
from tests.patience import PATIENCE
from tests.sweep.documented_world import SETTINGS, TEXT, make_study, write_world

Run = Callable[..., subprocess.CompletedProcess[str]]

WITH_COMMANDS = {str(page.relative_to(ROOT)): shown_commands(page) for page in PAGES}
PLACEHOLDERS = {
    "STUDY": "studies/x.toml",
    "ARM": "no-dropout",
    "RUN": "no-dropout/1",
    "X": "imported",
    "KIND": "forest",
    "CORPUS": TEXT,
    "corpus.txt": TEXT,
}
OF_COMMANDS = {
    ("import", "FILE"): "results.csv",
    ("backup", "FILE"): "copy.db",
    ("export", "DIR"): "exported",
    ("evaluate", "DIR"): "gpt2",
    ("compare", "A"): "baseline",
    ("compare", "B"): "no-dropout",
    ("study", "A"): "imported",
    ("study", "B"): "renamed",
    ("serve", "8000"): "0",  # any free port: another process may listen on that one
}
"""What stands for a placeholder in one command."""
STATUSES = {
    "docs/fineweb.md": {"plan": 2},  # FineWeb is not prepared
}
"""Exit statuses other than 0, by page and command."""
ELSEWHERE = {
    "evals",  # test_evals.py, which needs lm-eval
    "judge",  # test_judge.py, on smaller models
}
"""Commands that other tests run."""
NOT_RUN = {
    "it needs FineWeb from the Hugging Face Hub",
    "it uploads to the Hugging Face Hub",
    "it needs lm-eval; tests/sweep has tests with it",
    "it needs a Postgres server; tests/sweep has tests on one",
    "it needs a clone of nanoGPT",
    "it needs W&B and MLflow",
    "it needs a Slurm cluster; tests/sweep has tests on one",
    "it needs a Ray cluster; tests/sweep has tests on one",
}
"""The reasons for which commands are not run."""


def test_the_commands_that_are_not_run_need_what_a_test_does_not_have() -> None:
    shown = [each for commands in WITH_COMMANDS.values() for each in commands]
    assert len(shown) > 100
    assert {each.reason for each in shown if each.reason} == NOT_RUN


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, sweep: Run) -> Path:
    """A folder with everything that the commands use, and a study that was run."""
    folder = tmp_path_factory.mktemp("world") / "work"
    folder.mkdir()
    write_world(folder)
    (folder / "my-study.toml").write_text(make_study("my-study"))
    for study in ("my-study.toml", "studies/interventions.toml", "studies/x.toml"):
        done = sweep(folder, "run", study)
        assert done.returncode == 0, done.stderr
    for model in ("gpt2", "models/gpt2"):
        exported = sweep(folder, "export", "no-dropout/1", "--to", model)
        assert exported.returncode == 0, exported.stderr
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page, shown in WITH_COMMANDS.items() if shown])
def test_every_command_of_a_page_works(
    page: str, world: Path, tmp_path: Path, sweep: Run, start: Start
) -> None:
    folder = Path(shutil.copytree(world, tmp_path / "work"))
    (tmp_path / "runs").symlink_to(folder / "runs")
    for shown in WITH_COMMANDS[page]:
        if shown.reason is None:
            words = prepared(shown, folder)
            if words[0] in ELSEWHERE:
                continue
            if words[0] == "serve":
                serve_until_interrupted(start, folder, words)
                continue
            done = sweep(folder, *words)
            wanted = STATUSES.get(page, {}).get(words[0], 0)
            assert done.returncode == wanted, f"{shown.line}\n{done.stdout}\n{done.stderr}"
            complete(words, folder)
            if words[:2] == ["data", "remove"]:
                sweep(folder, "data", "prepare", "studies/x.toml")  # later commands read it
            if words[0] in {"search", "stack"} or words[:2] == ["study", "delete"]:
                sweep(folder, "run", "studies/x.toml")  # so that it is the study last run again


def serve_until_interrupted(start: Start, folder: Path, words: list[str]) -> None:
    """Run `sweep serve` until it has printed its address; Ctrl-C is its only end."""
    command = start(folder, *words)
    assert command.stdout
    address = command.stdout.readline()
    command.send_signal(signal.SIGINT)
    _, err = command.communicate(PATIENCE)
    assert "http://127.0.0.1:" in address, err
    assert command.returncode == 130, err


def prepared(shown: Shown, folder: Path) -> list[str]:
    """The words of a command with files in place of placeholders, and what it writes removed."""
    command, *words = shown.words
    words = [OF_COMMANDS.get((command, word), PLACEHOLDERS.get(word, word)) for word in words]
    if command == "train":
        run = next(path.parent for path in sorted(folder.glob("runs/*/recipe.json")))
        words = [str(run)]
    if command == "init":
        (folder / file_of(words)).unlink(missing_ok=True)
    if [command, *words[:1]] == ["study", "delete"]:
        words.append("--yes")
    if command == "rebuild":
        (folder / "runs" / "sweep.db").unlink()
    if words[:1] == ["runs.csv"] and "arm=config.name" in words:
        words[0] = "named.csv"
    return [command, *words]


def complete(words: list[str], folder: Path) -> None:
    """Give a study that `sweep init` has written few and short runs."""
    if words[0] != "init":
        return
    file = folder / file_of(words[1:])
    if "--command" in words:
        draft = file.read_text().partition("\n[interventions")[0]
        file.write_text(
            draft + SETTINGS + "\n[design]\nseeds = 2\n[analysis]\nsmallest_effect = 0.1\n"
        )
    else:
        file.write_text(make_study(file.stem))


def file_of(words: list[str]) -> str:
    """The file that `sweep init` writes."""
    return "train.toml" if words[0] == "--command" else words[0]
