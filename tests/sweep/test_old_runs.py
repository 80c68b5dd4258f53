"""A folder of runs that an older version wrote opens, reports the same, and trains nothing again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

DATA = Path(__file__).parents[1] / "data" / "old_runs"
Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with the old runs and their study."""
    shutil.copytree(DATA / "folder", tmp_path / "runs")
    for name in ("tiny.toml", "text.txt"):
        shutil.copy(DATA / name, tmp_path)
    return tmp_path


def printed(name: str) -> Any:  # noqa: ANN401  (JSON)
    return json.loads((DATA / name).read_bytes())


def report(sweep: Run, folder: Path, study: str) -> dict[str, Any]:
    done = sweep(folder, "report", study, "--format", "json")
    assert done.returncode == 0, done.stderr
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def without_places(content: dict[str, Any]) -> dict[str, Any]:
    """A report without the path of the study file and whether it is there."""
    plan = {k: v for k, v in content["plan"].items() if k not in {"path", "file"}}
    return {**content, "plan": plan}


def as_before(content: Any, before: Any) -> Any:  # noqa: ANN401  (JSON)
    """The content without the keys that were added since."""
    if isinstance(content, dict) and isinstance(before, dict):
        return {key: as_before(content[key], value) for key, value in before.items()}
    if isinstance(content, list) and isinstance(before, list) and len(content) == len(before):
        return [as_before(new, old) for new, old in zip(content, before, strict=True)]
    return content


@pytest.mark.parametrize(("study", "name"), [("tiny", "report"), ("elsewhere", "elsewhere")])
def test_an_old_study_reports_what_it_did(sweep: Run, folder: Path, study: str, name: str) -> None:
    before = without_places(printed(f"{name}.json"))
    assert as_before(without_places(report(sweep, folder, study)), before) == before


def test_the_noise_of_an_old_import_is_what_it_was(sweep: Run, folder: Path) -> None:
    done = sweep(folder, "noise", "elsewhere", "--format", "json")
    assert json.loads(done.stdout) == printed("elsewhere_noise.json")


def test_an_old_study_trains_nothing_again(sweep: Run, folder: Path) -> None:
    done = sweep(folder, "run", "tiny.toml")
    assert done.returncode == 0
    assert done.stdout.startswith("All 6 runs of tiny are done: nothing to train.\n")
    noise = sweep(folder, "noise", "tiny.toml", "--seeds", "3")
    assert "bit-identical" in noise.stdout
    assert "test loss" not in noise.stdout + noise.stderr


def test_an_old_database_is_rebuilt_from_its_run_directories(sweep: Run, folder: Path) -> None:
    (folder / "runs" / "sweep.db").unlink()
    done = sweep(folder, "rebuild")
    assert done.returncode == 0, done.stderr
    assert "2 studies and 14 runs (14 done)" in done.stdout
    for study, name in (("tiny", "report"), ("elsewhere", "elsewhere")):
        expected = without_places(printed(f"{name}.json"))
        assert as_before(without_places(report(sweep, folder, study)), expected) == expected
