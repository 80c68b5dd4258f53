"""`sweep search`, with real processes that train."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
SEARCH = """
[search]
trials = 3
per_arm = {per_arm}
fields = {{ "optimizer.learning_rate" = {{ low = 1e-4, high = 3e-2, log = true }} }}
"""

pytestmark = pytest.mark.slow  # its studies are trained first


def searched(study_text: str, sweep: Run, folder: Path, per_arm: str) -> tuple[Path, str]:
    (folder / "s.toml").write_text(study_text + SEARCH.format(per_arm=per_arm))
    done = sweep(folder, "run", "s.toml")
    assert done.returncode == 0, done.stderr + done.stdout
    return folder, done.stdout


@pytest.fixture(scope="module")
def tuned(
    study_text: str, sweep: Run, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    return searched(study_text, sweep, tmp_path_factory.mktemp("tuned"), "false")


def report(sweep: Run, folder: Path, study: str) -> dict[str, object]:
    content: dict[str, object] = json.loads(
        sweep(folder, "report", study, "--format", "json").stdout
    )
    return content


def test_the_tuned_baseline_is_one_more_arm_on_fresh_seeds(
    tuned: tuple[Path, str], sweep: Run
) -> None:
    folder, said = tuned
    assert "Search of optimizer.learning_rate: 3 trials (tpe), 0 done" in said
    assert re.search(r"^ tuned +2 ", said, re.MULTILINE)
    assert re.search(r"^tuned: learning_rate [\d.]+ \(baseline 0.003\)\.$", said, re.MULTILINE)
    assert "Optimism of the search: tuned had " in said
    content = report(sweep, folder, "tiny")
    assert isinstance(content["plan"], dict)
    assert content["plan"]["file"] == "as planned"
    states = sweep(folder, "status", "tiny").stdout
    assert "1000000001" not in states


def test_a_plan_prices_the_trials_until_they_are_done(
    tuned: tuple[Path, str], sweep: Run, tmp_path: Path
) -> None:
    folder, _ = tuned

    def plan(*options: str) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(
            sweep(folder, "plan", "s.toml", "--format", "json", *options).stdout
        )
        return read

    before, after = plan("--runs", str(tmp_path)), plan()
    seeds = before["arms"][0]["runs"]
    assert before["search"]["runs"] == 3 + seeds  # the trials, and the arm `tuned`
    assert before["search"]["hours"] > 0
    assert after["search"]["runs"] == 0
    assert {arm["arm"]: arm["done"] for arm in after["arms"]}["tuned"] == seeds
    said = sweep(folder, "plan", "s.toml", "--runs", str(tmp_path), "--price-per-hour", "2").stdout
    assert f"{3 + seeds} runs to train: " in said
    assert " for the search, at 2 an hour." in said


def test_further_seeds_of_a_tuned_study_are_planned_with_its_best_values(
    tuned: tuple[Path, str], sweep: Run
) -> None:
    folder, _ = tuned
    said = sweep(folder, "settle", "tuned", "--study", "tiny", "--max-runs", "1")
    assert "has changed" not in said.stdout + said.stderr


def test_a_search_that_is_done_trains_nothing(tuned: tuple[Path, str], sweep: Run) -> None:
    folder, _ = tuned
    again = sweep(folder, "search", "s.toml")
    assert again.returncode == 0
    assert "3 done" in again.stdout
    assert "All 8 runs of tiny are done: nothing to train." in again.stdout


@pytest.mark.parametrize("form", ["table", "md", "csv", "json", "latex"])
def test_trials_are_reported_in_every_format(
    tuned: tuple[Path, str], sweep: Run, form: str
) -> None:
    folder, _ = tuned
    said = sweep(folder, "report", "tiny-trials", "--format", form)
    assert said.returncode == 0, said.stderr
    assert ("baseline,2,complete" if form == "csv" else "trial-2") in said.stdout


def test_other_commands_know_trials(tuned: tuple[Path, str], sweep: Run) -> None:
    folder, _ = tuned
    assert "trial-2" in sweep(folder, "status", "tiny-trials").stdout
    shown = sweep(folder, "show", "trial-0/1000000001", "--study", "tiny-trials")
    assert shown.returncode == 0
    refused = sweep(folder, "stack", "tiny")
    assert refused.returncode == 2
    assert "tiny has a search, and a stack needs arms" in refused.stderr


def test_a_rebuilt_database_has_the_trials(tuned: tuple[Path, str], sweep: Run) -> None:
    folder, _ = tuned
    before = report(sweep, folder, "tiny-trials")
    (folder / "runs" / "sweep.db").unlink()
    assert sweep(folder, "rebuild").returncode == 0
    assert report(sweep, folder, "tiny-trials") == before


@pytest.mark.nightly
def test_each_arm_is_compared_at_its_own_best_setting(
    study_text: str, sweep: Run, tmp_path: Path
) -> None:
    folder, said = searched(study_text, sweep, tmp_path, "true")
    assert "9 trials (tpe, 3 for each of 3 arms)" in said
    assert re.search(
        r"^clip, tuned: learning_rate [\d.e-]+ \(baseline [\d.e-]+\)\.$", said, re.MULTILINE
    )
    content = report(sweep, folder, "tiny")
    assert isinstance(content["search"], dict)
    assert [each["arm"] for each in content["search"]["tuned"]] == [
        "baseline",
        "no-dropout",
        "clip",
    ]
    assert isinstance(content["plan"], dict)
    assert content["plan"]["file"] == "as planned"


def test_a_study_without_a_search_says_so(study_text: str, sweep: Run, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(study_text)
    refused = sweep(tmp_path, "search", "s.toml")
    assert refused.returncode == 2
    assert "s.toml has no [search]; add one (docs/search.md), or type `sweep run s.toml`" in (
        refused.stderr
    )


SCRIPT = """
name = "script"

[trainer]
command = ["python", "train.py", "--lr", "{lr}", "--seed", "{seed}"]

[parameters]
lr = 0.1

[metrics.accuracy]
source = { regex = 'accuracy (\\S+)' }
direction = "maximize"

[search]
trials = 4
fields = { lr = { low = 1e-3, high = 1.0, log = true } }

[design]
seeds = 2

[analysis]
smallest_effect = 0.001
"""
TRAIN = """
import argparse, random
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("--seed", type=int)
args = parser.parse_args()
print("accuracy", 1 - abs(args.lr - 0.03) + random.Random(args.seed).random() / 1000)
"""


def test_the_parameters_of_a_script_are_searched_in_the_direction_of_its_metric(
    sweep: Run, tmp_path: Path
) -> None:
    (tmp_path / "s.toml").write_text(SCRIPT)
    (tmp_path / "train.py").write_text(TRAIN)
    done = sweep(tmp_path, "search", "s.toml")
    assert done.returncode == 0, done.stderr + done.stdout
    content = report(sweep, tmp_path, "script-trials")
    assert isinstance(content["search"], dict)
    (arm,) = content["search"]["arms"]
    values = [trial["value"] for trial in arm["trials"]]
    assert len(values) == 4
    assert values[arm["best"][0]] == max(values) == arm["best_so_far"][-1]
