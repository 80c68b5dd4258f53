"""A folder of runs that an older version wrote opens, reports the same, and trains nothing again."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

DATA = Path(__file__).parents[1] / "data" / "old_runs"
FORECASTS = ("seeds_to_settle", "seconds_to_settle", "settling_")
"""Beginnings of keys that forecast further seeds: "negligible" has been adjusted for the family
since, which takes more of them."""
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


def without_new_keys(found: Any, expected: Any) -> Any:  # noqa: ANN401  (JSON)
    """What was found, with the keys that the older version knew; forecasts are not compared.

    Numbers that differ in their last digits only are the older version's: processors differ there.
    """
    if isinstance(found, dict) and isinstance(expected, dict):
        return {
            key: expected[key]
            if key.startswith(FORECASTS)
            else without_new_keys(found[key], expected[key])
            for key in expected
        }
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        return [without_new_keys(*pair) for pair in zip(found, expected, strict=True)]
    if isinstance(found, float) and isinstance(expected, float):
        return expected if math.isclose(found, expected, rel_tol=1e-12) else found
    return found


def check_report(found: dict[str, Any], name: str) -> None:
    """The older version printed the same; the keys that it did not know are left out."""
    expected = without_places(printed(f"{name}.json"))
    assert without_new_keys(without_places(found), expected) == expected


@pytest.mark.parametrize(("study", "name"), [("tiny", "report"), ("elsewhere", "elsewhere")])
def test_an_old_study_reports_what_it_did(sweep: Run, folder: Path, study: str, name: str) -> None:
    check_report(report(sweep, folder, study), name)


def test_the_noise_of_an_old_import_is_what_it_was(sweep: Run, folder: Path) -> None:
    done = sweep(folder, "noise", "elsewhere", "--format", "json")
    expected = printed("elsewhere_noise.json")
    assert without_new_keys(json.loads(done.stdout), expected) == expected


@pytest.mark.slow
def test_an_old_study_trains_nothing_again(sweep: Run, folder: Path) -> None:
    done = sweep(folder, "run", "tiny.toml")
    assert done.returncode == 0
    assert done.stdout.startswith("All 6 runs of tiny are done: nothing to train.\n")
    noise = sweep(folder, "noise", "tiny.toml", "--seeds", "3")
    assert "bit-identical" in noise.stdout
    assert "test loss" not in noise.stdout + noise.stderr


@pytest.mark.slow
def test_an_old_database_is_rebuilt_from_its_run_directories(sweep: Run, folder: Path) -> None:
    (folder / "runs" / "sweep.db").unlink()
    done = sweep(folder, "rebuild")
    assert done.returncode == 0, done.stderr
    assert "2 studies and 14 runs (14 done)" in done.stdout
    for study, name in (("tiny", "report"), ("elsewhere", "elsewhere")):
        check_report(report(sweep, folder, study), name)
