"""`sweep export` and `sweep generate`: share a trained model, and sample text from it."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from tests.trainer.fake_hub import silent_name_server
from trainer.corpora.tokenizer import read_tokenizer

Done = subprocess.CompletedProcess[str]


Run = Callable[..., Done]


@pytest.fixture(scope="module")
def exported(
    folder: Path, sweep: Run, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Done]:
    """An exported run, and the result of the command."""
    to = tmp_path_factory.mktemp("exported") / "model"
    return to, sweep(folder, "export", "no-dropout/1", "--to", to)


def test_an_export_prints_its_folder(exported: tuple[Path, Done]) -> None:
    to, done = exported
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Written to {to}: transformers loads it as it is.\n"
    assert json.loads((to / "config.json").read_bytes())["architectures"] == ["GPT2LMHeadModel"]


def test_the_card_has_recipe_loss_verdict_and_how_to_load_it(
    exported: tuple[Path, Done], folder: Path, sweep: Run
) -> None:
    card = (exported[0] / "README.md").read_text()
    row = json.loads(sweep(folder, "show", "no-dropout/1", "--format", "json").stdout)
    arms = json.loads(sweep(folder, "report", "--format", "json").stdout)["arms"]
    arm = next(arm for arm in arms if arm["arm"] == "no-dropout")
    assert card.startswith("---\nlibrary_name: transformers\npipeline_tag: text-generation\n")
    assert "# tiny/no-dropout/1\n" in card
    assert f"| test loss | {row['test_loss']:.4f} nats per token" in card
    assert f"`tiny`: **{arm['verdict']}**" in card
    assert f"; p {arm['p_adjusted']:.2g} after correction for the study's arms)" in card
    assert '"dropout": 0.0' in card
    assert row["id"] in card
    assert row["corpus_hash"] in card
    assert 'pipeline("text-generation"' in card


def test_the_card_of_a_baseline_claims_no_effect(folder: Path, sweep: Run, tmp_path: Path) -> None:
    assert sweep(folder, "export", "baseline/2", "--to", tmp_path / "model").returncode == 0
    card = (tmp_path / "model" / "README.md").read_text()
    assert "`tiny`: The mean test loss of `baseline` over 2 seeds is" in card
    assert "effect" not in card


@pytest.mark.slow
def test_a_run_and_its_export_write_the_same_text(
    exported: tuple[Path, Done], folder: Path, sweep: Run
) -> None:
    words = ("--prompt", "déf ", "--tokens", 40, "--seed", 7)
    one = sweep(folder, "generate", "no-dropout/1", *words)
    other = sweep(folder, "generate", exported[0], *words)
    assert (one.returncode, one.stderr) == (0, "")
    assert one.stdout == other.stdout
    assert one.stdout.startswith("déf ")
    assert len(one.stdout) > 10


@pytest.mark.nightly
def test_text_streams_to_a_terminal_in_utf_8_and_without_control_characters(
    exported: tuple[Path, Done], folder: Path, environment: dict[str, str]
) -> None:
    controller, terminal = pty.openpty()
    command = ["generate", str(exported[0]), "--prompt", "三 \x1b[2J", "--tokens", "30"]
    with subprocess.Popen(
        [sys.executable, "-m", "sweep", *command],
        cwd=folder,
        env={**environment, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
        stdout=terminal,
    ) as process:
        os.close(terminal)
        said = b""
        while True:
            try:
                piece = os.read(controller, 1024)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            said += piece
    os.close(controller)
    assert process.returncode == 0
    assert said.decode().startswith("三 �[2J")
    said = said.removesuffix(b"\x1b[0m")  # tqdm and colorama reset colours as a process ends
    assert b"\x1b" not in said


@pytest.mark.slow
def test_a_run_keeps_the_tokenizer_of_its_corpus(empty: Path, sweep: Run, study_text: str) -> None:
    """The export still has it after the corpus was removed."""
    text = (
        f"The {i} grey geese gather; {i * i} fly, {i % 7} feed by the lake.\n" for i in range(999)
    )
    (empty / "geese.txt").write_text("".join(text))
    data = '[baseline.data]\ncorpus = "geese.txt"\ntokenizer = "bpe-300"\n\n[baseline.model]'
    (empty / "s.toml").write_text(study_text.replace("[baseline.model]", data, 1))
    assert sweep(empty, "run", "s.toml").returncode == 0
    [made] = empty.glob("runs/cache/*/tokenizer.json")
    kept = list(empty.glob("runs/*/tokenizer.json"))
    assert len(kept) == 6
    assert {path.read_bytes() for path in kept} == {made.read_bytes()}
    shutil.rmtree(empty / "runs" / "cache")
    assert sweep(empty, "export", "clip/2", "--to", "model").returncode == 0
    words = ("--prompt", "The grey geese", "--tokens", 20)
    ours, theirs = (sweep(empty, "generate", each, *words) for each in ("clip/2", "model"))
    assert (ours.returncode, ours.stdout) == (0, theirs.stdout)
    loaded = AutoTokenizer.from_pretrained(empty / "model")
    ids = read_tokenizer(kept[0]).encode(b"9 grey geese fly").tolist()
    assert loaded("9 grey geese fly")["input_ids"] == ids
    assert len(ids) < 16


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["generate", "baseline/1", "--prompt", "x" * 17], "the prompt has 17 tokens, and the "),
        (["generate", "baseline/1", "--prompt", "\udcff"], "--prompt is not UTF-8"),
        (["generate", "no/such"], "there is no folder 'no/such', and there is no run 'no/such'"),
        (["generate", "."], ". has no weights: neither a config.json"),
        (["generate", "baseline/1", "--study", "x"], "runs/sweep.db has no study 'x'"),
        (["export", "baseline/7", "--to", "m"], "there is no run 'baseline/7'"),
        (["export", "baseline/1", "--to", "runs"], "runs exists and is not empty; name another"),
        (["export", "baseline/1", "--to", "s.toml"], "s.toml exists and is not a folder"),
        (["export", "baseline/1", "--to", "s.toml/m"], "s.toml/m cannot be written (File exists"),
    ],
)
def test_impossible_requests_are_refused_in_one_sentence(
    words: list[str], sentence: str, folder: Path, sweep: Run
) -> None:
    before = sorted(folder.rglob("*"))
    done = sweep(folder, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"sweep: {sentence}")
    assert len(done.stderr.splitlines()) == 1
    assert sorted(folder.rglob("*")) == before


@pytest.mark.slow
def test_a_run_without_weights_cannot_be_exported(folder: Path, sweep: Run, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    for path in copy.glob("runs/*/weights.safetensors"):
        path.unlink()
    for words in (["export", "baseline/1", "--to", "m"], ["generate", "baseline/1"]):
        done = sweep(copy, *words)
        assert done.returncode == 2
        assert (
            "has no weights: the run is not finished, or jobs.keep says to keep none" in done.stderr
        )
    assert not (copy / "m").exists()


@pytest.mark.slow
def test_an_upload_gives_up_within_seconds_if_the_name_server_hangs(
    folder: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    inherited = {k: v for k, v in environment.items() if not k.startswith("HF_")}
    variables = {"HF_TOKEN": "hf_x", "HF_ENDPOINT": "http://hub.example"}
    words = ["export", "baseline/1", "--to", tmp_path / "m", "--push", "me/model"]
    began = time.monotonic()
    with silent_name_server(tmp_path) as before:
        done = subprocess.run(
            [*before, sys.executable, "-m", "sweep", *words],
            cwd=folder,
            env={**inherited, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
    assert time.monotonic() - began < 60  # the start takes its share on a busy machine
    assert done.returncode == 2
    assert done.stderr == (
        "sweep: http://hub.example could not be reached or used (no answer within 6 s); nothing "
        "was uploaded\n"
    )
    assert not (tmp_path / "m").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "you are not logged in to the Hugging Face Hub: `hf auth login` asks for a token"),
        ({"HF_TOKEN": "hf_x"}, "http://127.0.0.1:9 could not be reached or used ("),
        ({"HF_TOKEN": "hf_x", "HF_HUB_OFFLINE": "1"}, "http://127.0.0.1:9 could not be reached"),
    ],
)
def test_without_login_or_network_an_upload_is_refused_at_once(
    variables: dict[str, str],
    sentence: str,
    folder: Path,
    tmp_path: Path,
    sweep: Run,
    environment: dict[str, str],
) -> None:
    no_login = {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": "http://127.0.0.1:9"}
    inherited = {k: v for k, v in environment.items() if not k.startswith("HF_")}
    to, began = tmp_path / "m", time.monotonic()
    words = ("export", "baseline/1", "--to", to, "--push", "me/model")
    done = sweep(folder, *words, variables={**inherited, **no_login, **variables})
    assert time.monotonic() - began < 60
    assert done.returncode == 2
    assert done.stderr.startswith(f"sweep: {sentence}")
    assert len(done.stderr.splitlines()) == 1
    assert not to.exists()
