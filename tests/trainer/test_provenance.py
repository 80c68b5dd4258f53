from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SHOW = "import json; from trainer.training.provenance import code; print(json.dumps(code(), sort_keys=True))"


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Path:
    """A new repository with a copy of the code, nothing committed."""
    for package in ("model", "trainer"):
        shutil.copytree(
            root / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    git(tmp_path, "init", "-q")
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A Tester", "-c", "user.email=tester@localhost"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def code_seen_in(folder: Path) -> str:
    command = [sys.executable, "-c", SHOW]
    shown = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return shown.stdout.strip()


@pytest.mark.nightly
def test_a_checkout_gives_its_commit_and_whether_the_code_differs_from_it(checkout: Path) -> None:
    git(checkout, "add", "model", "trainer")
    git(checkout, "commit", "-qm", "first")
    commit = git(checkout, "rev-parse", "HEAD")
    assert code_seen_in(checkout) == f'{{"commit": "{commit}", "dirty": false}}'
    with (checkout / "trainer" / "training" / "loop.py").open("a") as file:
        file.write("# changed\n")
    assert code_seen_in(checkout) == f'{{"commit": "{commit}", "dirty": true}}'


@pytest.mark.slow
def test_code_inside_another_projects_repository_has_no_commit(checkout: Path) -> None:
    (checkout / "theirs.txt").write_text("theirs")
    git(checkout, "add", "theirs.txt")
    git(checkout, "commit", "-qm", "theirs")
    assert code_seen_in(checkout) == '{"commit": null, "dirty": null}'
