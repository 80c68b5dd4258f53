"""`sweep plan`: the cost of a study, also on a machine without its text or its GPUs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.power import smallest_visible_effect_unpaired
from model.size import parameter_count
from sweep.cli import main
from sweep.forecast.pace import given_pace, guessed_pace
from sweep.machine import processors
from sweep.terminal.units import two_digits
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
    lacking = "Before it can be run: " in done.stdout  # such as eight GPUs
    assert (done.returncode, done.stderr) == (2 if lacking else 0, "")
    assert "floating-point operations." in done.stdout
    assert re.search(
        r"Time: about .* of training .* at 1,000 tokens a second \(as given", done.stdout
    )
    assert list(tmp_path.iterdir()) == []


def test_the_split_of_a_corpus_is_stated_before_it_is_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("trainer.corpora.prepare.IN_MEMORY_BYTES", 100)
    for name in ("train", "valid", "test"):
        (tmp_path / f"{name}.md").write_text(f"{name} " * 1_000)
    study = (ROOT / "studies" / "interventions.toml").read_text()
    fields = f'corpus = "{tmp_path}"\npattern = "*.md"'
    (tmp_path / "x.toml").write_text(study.replace('corpus = "python-stdlib"', fields))
    monkeypatch.setattr("sys.argv", ["sweep", "plan", str(tmp_path / "x.toml")])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main()
    said = " ".join(capsys.readouterr().out.split())
    assert "not prepared yet, 12,000 bytes (the files valid*.md are for testing; the files" in said
    assert "test*.md stay unread); `sweep data prepare STUDY` does it" in said


def test_the_reference_setting_is_unchanged() -> None:
    plan = read_plan(ROOT / "studies" / "gpt2_fineweb.toml")
    recipe = plan.arms[0].spec.recipe
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


def test_the_study_for_one_gpu_has_the_same_runs() -> None:
    eight, one = (read_plan(ROOT / "studies" / f"gpt2_fineweb{x}.toml") for x in ("", "_one_gpu"))
    assert [arm.specs for arm in eight.arms] == [arm.specs for arm in one.arms]
    assert (one.study.jobs.gpus_per_run, one.study.jobs.micro_batch) == (1, 6)


@pytest.mark.slow
def test_the_time_follows_from_the_given_tokens_per_second(
    tmp_path: Path, study_text: str, sweep: Run
) -> None:
    (tmp_path / "s.toml").write_text(study_text)
    cost = read_plan(tmp_path / "s.toml").arms[0].spec.cost
    pace = given_pace(512.0, cost)
    assert pace
    # 2048 tokens of training, and 128 of evaluation at a third of the work
    assert pace.seconds(cost) == pytest.approx((2048 + 128 / 3) / 512)
    done = sweep(tmp_path, "plan", "s.toml", "--tokens-per-second", "511", "--slots", "1")
    assert "Time: about 25 s, one run at a time; " in done.stdout


def test_a_guess_of_the_pace_uses_one_core() -> None:
    """The other cores may be busy, and a guess that waits for them is too slow."""
    guessed_pace(1)
    began, busy = time.perf_counter(), time.process_time()
    guessed_pace(1)
    assert time.process_time() - busy < 1.2 * (time.perf_counter() - began)


def test_the_guess_for_a_gpu_does_not_depend_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "torch_has_cuda", lambda: True)
    monkeypatch.setattr(processors, "installed_gpus", lambda: ["0"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    pace = guessed_pace(1)
    assert (pace.rate, pace.source) == (1e13, "a guess for any GPU; large models use it better")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert guessed_pace(1).source == "a guess from this machine's matrix products"


@pytest.mark.slow
def test_a_missing_text_is_reported_after_the_plan(
    tmp_path: Path, study_text: str, sweep: Run
) -> None:
    study = study_text.replace(
        "[baseline.model]", '[baseline.data]\ncorpus = "x.txt"\n[baseline.model]'
    )
    (tmp_path / "s.toml").write_text(study)
    done = sweep(tmp_path, "plan", "s.toml")
    assert (done.returncode, done.stderr) == (2, "")
    assert "6 to train" in done.stdout
    last = done.stdout.splitlines()[-1]
    assert last.startswith("Before it can be run: ")
    assert "x.txt" in last


def content(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout, parse_constant=pytest.fail)
    assert (done.returncode, done.stderr) == (2 if found.get("problems") else 0, "")
    return found


@pytest.mark.slow
def test_a_given_noise_gives_the_visible_effect_and_the_seeds_and_cost_of_a_wanted_one(
    empty: Path, sweep: Run
) -> None:
    words = ("--sd", 0.01, "--effect", 0.01, "--price-per-hour", 3, "--tokens-per-second", 512)
    found = content(sweep(empty, "plan", "s.toml", *words, "--format", "json"))
    power, wanted = found["power"], found["wanted"]
    assert power["noise"] == {"sd": 0.01, "n": None, "source": "as given", "warning": None}
    assert (power["alpha"], power["seeds"]) == (0.05 / 2, 2)
    visible = smallest_visible_effect_unpaired(2, 0.01, 0.05 / 2)
    assert power["smallest_visible_effect"] == {"unpaired": visible, "paired": None, "arms": []}
    assert wanted["paired"] == {"seeds": None, "runs": None, "hours": None, "cost": None}
    seeds = wanted["unpaired"]["seeds"]
    assert smallest_visible_effect_unpaired(seeds, 0.01, 0.05 / 2) <= 0.01
    assert smallest_visible_effect_unpaired(seeds - 1, 0.01, 0.05 / 2) > 0.01
    assert wanted["unpaired"]["runs"] == 3 * seeds
    hours = 3 * seeds * (2048 + 128 / 3) / 512 / 3600
    assert wanted["unpaired"]["hours"] == pytest.approx(hours)
    assert wanted["unpaired"]["cost"] == pytest.approx(3 * hours)
    assert found["cost"] == pytest.approx(3 * found["hours"])
    said = sweep(empty, "plan", "s.toml", *words).stdout
    assert (
        f"Smallest visible effect at 80% power, alpha 0.05 over 2 arms: {two_digits(visible)} unpaired; "
        in said
    )
    assert f"To see 0.01 with 80% power unpaired: {seeds} seeds, " in said
    assert (
        "To see 0.01 with 80% power paired, in the median arm: unknown until arms have run" in said
    )


@pytest.mark.slow
def test_a_run_on_eight_gpus_costs_eight_times_as_much(
    empty: Path, study_text: str, sweep: Run
) -> None:
    (empty / "eight.toml").write_text(f"{study_text}\n[jobs]\ngpus_per_run = 8\n")
    words = ("--tokens-per-second", 512, "--price-per-hour", 3, "--format", "json")
    one, eight = (content(sweep(empty, "plan", name, *words)) for name in ("s.toml", "eight.toml"))
    assert eight["cost"] == pytest.approx(8 * one["cost"])


@pytest.mark.slow
def test_without_noise_the_visible_effect_is_reported_as_unknown(empty: Path, sweep: Run) -> None:
    said = sweep(empty, "plan", "s.toml", "--effect", "0.01").stdout
    assert "Smallest visible effect: unknown until the baseline has run with two seeds" in said
    assert "The seeds that detect an effect of 0.01 depend on the noise, which is unknown: " in said


@pytest.mark.slow
def test_finished_runs_give_the_visible_effect_of_each_arm(
    finished: tuple[Path, object], sweep: Run
) -> None:
    found = content(sweep(finished[0], "plan", "s.toml", "--effect", 0.1, "--format", "json"))
    assert found["power"]["noise"]["source"] == "2 runs of the baseline"
    visible = found["power"]["smallest_visible_effect"]
    assert {row["arm"] for row in visible["arms"]} == {"no-dropout", "clip"}
    assert visible["paired"] == visible["arms"][1]["effect"] > visible["arms"][0]["effect"]
    assert found["wanted"]["paired"]["seeds"] >= 2


@pytest.mark.nightly
def test_recorded_noise_is_used_and_that_of_another_recipe_is_borrowed_with_a_warning(
    finished: tuple[Path, object], study_text: str, tmp_path: Path, sweep: Run
) -> None:
    folder = Path(shutil.copytree(finished[0], tmp_path / "copy"))
    assert sweep(folder, "noise", "s.toml", "--seeds", 3).returncode == 0
    own = content(sweep(folder, "plan", "s.toml", "--format", "json"))["power"]["noise"]
    assert own["source"].startswith("`sweep noise tiny`, 3 seeds, ")
    assert own["warning"] is None
    wider = study_text.replace('name = "tiny"', 'name = "wider"').replace(
        "width = 16", "width = 32"
    )
    (folder / "wider.toml").write_text(wider)
    borrowed = content(sweep(folder, "plan", "wider.toml", "--format", "json"))["power"]["noise"]
    assert borrowed == own | {
        "warning": (
            "The noise is borrowed from tiny, which differs in the recipe (model.width 16 there, 32 "
            "here); `sweep noise` on this study measures its own."
        )
    }
    assert f"\n{borrowed['warning']}\n" in sweep(folder, "plan", "wider.toml").stdout
    said = sweep(folder, "run", "wider.toml").stdout
    beginning = said[: said.index("tokens/s")]
    assert "Smallest visible effect at 80% power, alpha 0.05 over 2 arms: " in beginning
    assert (
        f"{borrowed['source']}, but measured under other conditions (`sweep plan` names them).\n"
        in beginning
    )
    assert borrowed["warning"] not in beginning


@pytest.mark.slow
def test_the_warning_about_borrowed_noise_names_three_fields_that_differ(
    finished: tuple[Path, object], study_text: str, tmp_path: Path, sweep: Run
) -> None:
    folder = Path(shutil.copytree(finished[0], tmp_path / "copy"))
    assert sweep(folder, "noise", "s.toml", "--seeds", 2).returncode == 0
    other = study_text.replace('name = "tiny"', 'name = "other"').replace(
        "width = 16", "width = 32"
    )
    (folder / "other.toml").write_text(other)
    words = ["model.qkv_bias=true", "train.tokens=1024", "optimizer.clip_norm=2.0"]
    overrides = [part for word in words for part in ("--override", word)]
    said = sweep(folder, "plan", "other.toml", *overrides)
    assert said.stdout.count(" there, ") == 3, said.stderr
    assert " and 1 more); " in said.stdout


@pytest.mark.slow
def test_noise_is_never_borrowed_from_an_imported_study(empty: Path, sweep: Run) -> None:
    (empty / "r.csv").write_text("arm,loss\nbaseline,3\nbaseline,4\nclip,2\n")
    assert sweep(empty, "import", "r.csv", "--study", "theirs").returncode == 0
    assert sweep(empty, "noise", "theirs", "--seeds", 2).returncode == 0
    assert content(sweep(empty, "plan", "s.toml", "--format", "json"))["power"] is None
    known = content(sweep(empty, "report", "theirs", "--format", "json"))["noise_on_record"]
    assert (known["n"], known["warning"]) == (2, None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sd", "why"),
    [(1e-6, "the median arm's paired differences vary more than those"), (1.0, None)],
)
def test_the_plan_explains_why_pairing_does_not_help(
    finished: tuple[Path, object], sweep: Run, sd: float, why: str | None
) -> None:
    said = sweep(finished[0], "plan", "s.toml", "--sd", sd).stdout
    assert "; paired, as in the verdicts, " in said
    assert ("Pairing does not help here: " in said) == bool(why)
    assert (why or "") in said


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--sd", "--effect", "--price-per-hour"])
@pytest.mark.parametrize("value", ["-1", "nan", "inf", "much"])
def test_absurd_amounts_are_refused(empty: Path, sweep: Run, option: str, value: str) -> None:
    done = sweep(empty, "plan", "s.toml", option, value)
    assert done.returncode == 2
    assert option in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("pace", ["0", "-1", "nan", "inf", "fast"])
def test_an_absurd_pace_is_refused(tmp_path: Path, study_text: str, sweep: Run, pace: str) -> None:
    (tmp_path / "s.toml").write_text(study_text)
    done = sweep(tmp_path, "plan", "s.toml", "--tokens-per-second", pace)
    assert done.returncode == 2
    assert "--tokens-per-second" in done.stderr
    assert "Traceback" not in done.stderr
