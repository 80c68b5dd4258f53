"""`--override KEY=VALUE` sets a baseline field for one command; it is recorded, and part of each run."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.design.arms import make_plan
from sweep.errors import StudyError
from sweep.study.file import parse_study
from sweep.study.overrides import apply_overrides, parse_overrides
from sweep.workspace import plan_of, read_plan
from trainer.recipe_forms import RECIPE_FIELDS

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("train.tokens=100_000", 100_000),
        ("train.tokens = 100_000", 100_000),
        ("optimizer.learning_rate=3e-4", 3e-4),
        ("model.qkv_bias=true", True),
        ("data.tokenizer=gpt2", "gpt2"),
        ('data.tokenizer="gpt2"', "gpt2"),
        ("data.corpus=../a=b.txt", "../a=b.txt"),
        ("optimizer.clip_norm=none", "none"),
        ("data.corpus=", ""),
    ],
)
def test_a_value_is_read_as_toml_and_otherwise_as_text(word: str, value: object) -> None:
    assert list(parse_overrides([word]).values()) == [value]


@pytest.mark.slow
@given(st.text())
def test_any_text_after_the_equals_sign_is_a_value_and_not_a_traceback(text: str) -> None:
    assert len(parse_overrides([f"data.corpus={text}"])) == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["train.tokens"],
            "--override 'train.tokens' sets nothing; write KEY=VALUE, such as train.tokens=100_000",
        ),
        (
            ["train.token=5"],
            "--override 'train.token': not a baseline field; did you mean 'train.tokens'?",
        ),
        (
            ["jobs.retries=5"],
            (
                "--override 'jobs.retries': not a baseline field; a study file sets "
                "'jobs.retries', the same for all arms"
            ),
        ),
        (
            ["lr=1", "train.tokens", "model.dropout=0", "model.dropout=1"],
            (
                "the command line has 2 mistakes:\n"
                "  --override 'train.tokens' sets nothing; write KEY=VALUE, such as "
                "train.tokens=100_000\n"
                "  --override model.dropout: given twice; give it once"
            ),
        ),
        (
            ["train.tokens=5", "train.tokens=6"],
            "--override train.tokens: given twice; give it once",
        ),
    ],
)
def test_an_override_of_no_baseline_field_is_refused(
    words: list[str], sentence: str, content: dict[str, Any]
) -> None:
    with pytest.raises(StudyError) as refused:
        plan_of(content, "s.toml", parse_overrides(words))
    assert str(refused.value) == sentence


def test_an_override_that_changes_nothing_is_refused(content: dict[str, Any]) -> None:
    for key, value in {"train.tokens": 2048.0, "model.dropout": 0.1}.items():
        with pytest.raises(StudyError, match=f"^s.toml: --override {key} changes nothing"):
            plan_of(content, "s.toml", {key: value})


def test_a_wrong_value_of_an_override_is_told_as_one_of_the_command_line(
    content: dict[str, Any],
) -> None:
    with pytest.raises(StudyError) as refused:
        plan_of(content, "s.toml", {"model.dropout": 2, "model.heads": 3, "train.tokens": 2048})
    assert str(refused.value) == "s.toml: --override model.dropout = 2 must be below 1"
    with pytest.raises(StudyError, match=r"\(--override model.heads = 3\)$"):
        plan_of(content, "s.toml", {"model.heads": 3})


def test_an_override_changes_every_arm_and_not_the_file(content: dict[str, Any]) -> None:
    before = json.dumps(content)
    plan = make_plan(parse_study(apply_overrides(content, {"model.layers": 2}), "s.toml"), "s.toml")
    assert {arm.spec.recipe.model.layers for arm in plan.arms} == {2}
    assert json.dumps(content) == before


def test_an_override_is_part_of_every_fingerprint_and_of_the_plan(
    tmp_path: Path, study_text: str
) -> None:
    file = tmp_path / "s.toml"
    file.write_text(study_text)
    plain, changed = read_plan(file), read_plan(file, {"optimizer.beta2": 0.95})
    pairs = zip(plain.arms, changed.arms, strict=True)
    assert all(a.spec.recipe.fingerprint("c") != b.spec.recipe.fingerprint("c") for a, b in pairs)
    assert plain.hash != changed.hash
    assert changed.content()["overrides"] == {"optimizer.beta2": 0.95}
    assert "overrides" not in plain.content()


@pytest.mark.nightly
def test_every_report_names_the_overrides_until_the_next_run(empty: Path, sweep: Run) -> None:
    words = ("--override", "train.tokens=1024", "--override", "model.norm=rms")
    done = sweep(empty, "run", "s.toml", *words)
    assert done.returncode == 0, done.stderr
    line = "Overridden on the command line: train.tokens = 1024, model.norm = 'rms'."
    assert line in done.stdout.splitlines()
    assert line in sweep(empty, "report", "--format", "md").stdout.splitlines()
    content = json.loads(sweep(empty, "report", "--format", "json").stdout)
    assert content["overrides"] == {"train.tokens": 1024, "model.norm": "rms"}
    assert "has changed since" not in done.stdout
    run = json.loads(sweep(empty, "show", "baseline/1", "--format", "json").stdout)
    assert (run["tokens"], run["recipe"]["model"]["norm"]) == (1024, "rms")
    assert "6 done already" in sweep(empty, "plan", "s.toml", *words).stdout
    assert "0 done already" in sweep(empty, "plan", "s.toml").stdout


@pytest.mark.parametrize("name", RECIPE_FIELDS)
def test_a_field_of_the_wrong_type_is_refused_with_its_key(
    content: dict[str, Any], name: str
) -> None:
    with pytest.raises(StudyError, match=name.split(".")[1]):
        make_plan(parse_study(apply_overrides(content, {name: [tomllib]}), "s.toml"), "s.toml")
