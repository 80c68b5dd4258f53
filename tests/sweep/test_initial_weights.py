"""`train.initial_weights` in a study: known by what they hold, and not by where they lie."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

Run = Callable[..., subprocess.CompletedProcess[str]]

BEGUN = """
[interventions.warm]
because = "Why begin with nothing?"
set = { "train.initial_weights" = "old" }

[design]
"""


@pytest.fixture
def place(finished: tuple[Path, object], tmp_path: Path, study_text: str) -> Path:
    """A folder with a finished study, and beside it one that begins with a run of the first."""
    copy = shutil.copytree(finished[0], tmp_path / "copy")
    (copy / "new").mkdir()
    old = next(path.parent for path in copy.glob("runs/*/weights.safetensors"))
    shutil.copytree(old, copy / "new" / "old")
    text = study_text.replace('"tiny"', '"begun"').replace("\n[design]\n", BEGUN)
    (copy / "new" / "s.toml").write_text(text)
    return copy


def runs_of(folder: Path, sweep: Run) -> list[dict[str, object]]:
    shown = [sweep(folder, "show", f"warm/{seed}", "--format", "json") for seed in (1, 2)]
    return [json.loads(done.stdout) for done in shown]


def change(weights: Path) -> None:
    tensors = load_file(weights)
    tensors["final_norm.weight"] = tensors["final_norm.weight"] + np.float32(1e-3)
    save_file(tensors, weights)


@pytest.mark.nightly
def test_runs_that_begin_with_weights_are_known_by_what_these_hold(place: Path, sweep: Run) -> None:
    plan = sweep(place, "plan", "new/s.toml")
    assert "8 runs, 6 done already, 2 to train" in " ".join(plan.stdout.split())
    assert sweep(place, "run", "new/s.toml").returncode == 0
    before = runs_of(place, sweep)
    request = json.loads((place / "runs" / str(before[0]["id"])[:16] / "recipe.json").read_bytes())
    assert request["weights"] == str((place / "new" / "old").resolve())
    assert before[0]["provenance"]["initial_weights"]["hash"] == request["weights_hash"]  # type: ignore[index]
    assert before[0]["test_loss"] != before[1]["test_loss"]

    (place / "new" / "old").rename(place / "old")  # found where the command is given
    moved = sweep(place, "run", "new/s.toml")
    assert "All 8 runs of begun are done: nothing to train." in moved.stdout

    change(place / "old" / "weights.safetensors")
    assert "6 done already, 2 to train" in " ".join(
        sweep(place, "plan", "new/s.toml").stdout.split()
    )
    assert sweep(place, "run", "new/s.toml").returncode == 0
    after = runs_of(place, sweep)
    assert not {run["id"] for run in before} & {run["id"] for run in after}
    assert {run["family"] for run in before} != {run["family"] for run in after}

    report = sweep(place, "report", "--format", "json").stdout
    (place / "runs" / "sweep.db").unlink()
    assert sweep(place, "rebuild").returncode == 0
    assert [run["id"] for run in runs_of(place, sweep)] == [run["id"] for run in after]
    assert (
        json.loads(sweep(place, "report", "--format", "json").stdout)["arms"]
        == (json.loads(report)["arms"])
    )


@pytest.mark.slow
def test_without_the_weights_a_study_is_planned_and_not_run(place: Path, sweep: Run) -> None:
    shutil.rmtree(place / "new" / "old")
    sentence = (
        "train.initial_weights = 'old': there is no such folder or file, also not in new; name "
        "the folder of a finished run, of a GPT-2 in Hugging Face's format"
    )
    plan = sweep(place, "plan", "new/s.toml")
    assert plan.returncode == 2
    assert f"Before it can be run: {sentence}" in " ".join(plan.stdout.split())
    run = sweep(place, "run", "new/s.toml")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith(f"sweep: {sentence}")


def edit(place: Path, before: str, after: str) -> None:
    path = place / "new" / "s.toml"
    path.write_text(path.read_text().replace(before, after, 1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edits", "sentence"),
    [
        (
            [("width = 16", "width = 32")],
            "model.width = 32, but the weights there have 16; set model.width = 16",
        ),
        (
            [("[baseline.model]", '[baseline.data]\ntokenizer = "bpe-300"\n\n[baseline.model]')],
            "data.tokenizer = 'bpe-300' has 300 tokens, but the weights there have rows for 257; use",
        ),
        (
            [("seeds = 2", 'seeds = 2\nvary = ["init"]')],
            "design.vary = [\"init\"], but that stream makes no difference in the arm 'warm'",
        ),
        (
            [("[design]", BEGUN.replace("warm", "warmer").replace('"old"', '"./old"').lstrip())],
            "arm 'warmer' is the same as arm 'warm': their corpora or initial weights have",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_trained(
    edits: list[tuple[str, str]], sentence: str, place: Path, sweep: Run
) -> None:
    for before, after in edits:
        edit(place, before, after)
    done = sweep(place, "run", "new/s.toml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("sweep: new/s.toml: ")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
