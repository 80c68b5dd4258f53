"""`sweep plan`: what a study takes, on a machine that may have neither its text nor its GPUs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from model.config import parameter_count
from sweep.estimate import given_pace
from sweep.workspace import read_plan
from trainer.recipe import vocabulary_size

Run = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[2]
STUDIES = sorted((ROOT / "studies").glob("*.toml"))


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.stem)
def test_every_study_loads_and_plans_on_any_machine(
    study: Path, tmp_path: Path, sweep: Run
) -> None:
    done = sweep(tmp_path, "plan", study, "--tokens-per-second", "1000")
    assert (done.returncode, done.stderr) == (0, "")
    assert "floating-point operations." in done.stdout
    assert re.search(
        r"Time: about .* hours of training .* at 1,000 tokens a second \(as given", done.stdout
    )
    assert list(tmp_path.iterdir()) == []


def test_the_reference_setting_is_what_it_was() -> None:
    plan = read_plan(ROOT / "studies" / "gpt2_fineweb.toml")
    recipe = plan.arms[0].recipe
    assert parameter_count(recipe.model, vocabulary_size(recipe.data.tokenizer)) == 163_009_536
    assert recipe.steps == 33_165
    assert (recipe.train.batch_size, recipe.model.context) == (96, 1024)
    assert (recipe.optimizer.learning_rate, recipe.optimizer.weight_decay) == (4e-4, 0.1)
    assert (recipe.train.precision, recipe.data.order) == ("float16", "sequential")
    scored = recipe.evaluation
    assert (scored.chunks, scored.chunk_tokens, scored.start_token) == (3200, 6 * 1024, 50_000_000)
    assert plan.study.jobs.gpus_per_run == 8
    assert [arm.changes for arm in plan.arms[1:]] == [
        {"optimizer.clip_norm": 3.5},
        {"model.qkv_bias": True},
        {"model.dropout": 0.0},
        {
            "optimizer.learning_rate": 1.4e-3,
            "schedule.kind": "cosine",
            "schedule.warmup": 0.05,
            "schedule.warmup_factor": 1e-5,
            "schedule.final_factor": 0.1,
        },
        {"optimizer.weight_decay": 0.01},
        {"optimizer.weight_decay": 0.33724},
        {"model.tie_embeddings": True},
        {"train.precision": "float32"},
    ]


def test_on_one_card_it_is_the_same_runs() -> None:
    eight, one = (read_plan(ROOT / "studies" / f"gpt2_fineweb{x}.toml") for x in ("", "_one_gpu"))
    assert [arm.recipes for arm in eight.arms] == [arm.recipes for arm in one.arms]
    assert (one.study.jobs.gpus_per_run, one.study.jobs.micro_batch) == (1, 6)


def test_the_time_follows_from_the_tokens_per_second_that_are_given(
    tmp_path: Path, study_text: str, sweep: Run
) -> None:
    (tmp_path / "s.toml").write_text(study_text)
    recipe = read_plan(tmp_path / "s.toml").arms[0].recipe
    pace = given_pace(512.0, recipe)
    assert pace
    # 2048 tokens of training, and 128 of evaluation at a third of the work
    assert pace.seconds(recipe) == pytest.approx((2048 + 128 / 3) / 512)
    done = sweep(tmp_path, "plan", "s.toml", "--tokens-per-second", "511", "--slots", "1")
    assert "Time: about 25 s, one run at a time; " in done.stdout


def test_a_text_that_is_not_there_yet_is_said_after_the_plan(
    tmp_path: Path, study_text: str, sweep: Run
) -> None:
    study = study_text.replace(
        "[baseline.model]", '[baseline.data]\ncorpus = "x.txt"\n[baseline.model]'
    )
    (tmp_path / "s.toml").write_text(study)
    done = sweep(tmp_path, "plan", "s.toml")
    assert (done.returncode, done.stderr) == (0, "")
    assert "6 to train" in done.stdout
    last = done.stdout.splitlines()[-1]
    assert last.startswith("Before it can be run: ")
    assert "x.txt" in last


@pytest.mark.parametrize("pace", ["0", "-1", "nan", "inf", "fast"])
def test_an_absurd_pace_is_refused(tmp_path: Path, study_text: str, sweep: Run, pace: str) -> None:
    (tmp_path / "s.toml").write_text(study_text)
    done = sweep(tmp_path, "plan", "s.toml", "--tokens-per-second", pace)
    assert done.returncode == 2
    assert "--tokens-per-second" in done.stderr
    assert "Traceback" not in done.stderr
