"""`sweep evaluate`: models from elsewhere as references in the report of a study."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own convention)
from transformers import GPT2LMHeadModel

from tests.trainer.book import save_book
from tests.trainer.gpt2 import save_gpt2, write_tokens
from trainer.corpora.tokenizer import byte_letters

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


@pytest.fixture(scope="module")
def place(finished: tuple[Path, Done], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished study and a GPT-2 of another author, which tests only read."""
    copy = shutil.copytree(finished[0], tmp_path_factory.mktemp("place") / "copy")
    save_gpt2(copy / "gpt2", positions=32)
    return copy


@pytest.fixture(scope="module")
def reports(place: Path, sweep: Run) -> tuple[dict[str, Any], Done, dict[str, Any]]:
    """The report as JSON before and after the model was evaluated, and the result of evaluating it."""
    before = json.loads(sweep(place, "report", "--format", "json").stdout)
    said = sweep(place, "evaluate", "gpt2")
    return before, said, json.loads(sweep(place, "report", "--format", "json").stdout)


def loss_on_test_text(model: Callable[[Tensor], Tensor], place: Path) -> float:
    """Nats per token on the study's test text: 2 chunks of 64 tokens, 16 at a time."""
    [path] = place.glob("runs/cache/*/test.bin")
    tokens = torch.from_numpy(np.fromfile(path, dtype=np.uint16)[:129].astype(np.int64))
    with torch.no_grad():
        logits = model(tokens[:128].view(8, 16))
    return float(F.cross_entropy(logits.flatten(0, 1).double(), tokens[1:129]))


def loss_by_transformers(place: Path) -> float:
    model = GPT2LMHeadModel.from_pretrained(place / "gpt2").eval()
    return loss_on_test_text(lambda tokens: model(tokens).logits, place)


@pytest.mark.slow
def test_the_loss_equals_that_of_transformers_on_the_same_text(
    place: Path, reports: tuple[dict[str, Any], Done, dict[str, Any]]
) -> None:
    _, said, after = reports
    [reference] = after["references"]
    expected = loss_by_transformers(place)
    assert reference["test_loss"] == pytest.approx(expected, abs=1e-6)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == (
        f"gpt2: {expected:.4f} nats per token, {reference['bits_per_byte']:.4f} bits per byte, on "
        "the 128 test tokens of tiny with a context of 16 (it has 32 "
        f"positions); {reference['parameters']:,} parameters. It is a reference in the study's "
        "report from now on.\n"
    )
    model = GPT2LMHeadModel.from_pretrained(place / "gpt2")
    assert reference["parameters"] == sum(each.numel() for each in model.parameters())
    assert reference["bits_per_byte"] == pytest.approx(expected / math.log(2), rel=0.05)
    assert (reference["name"], reference["context"]) == ("gpt2", 32)
    assert reference["folder"] == str((place / "gpt2").resolve())


@pytest.mark.slow
def test_a_model_of_raschkas_book_is_evaluated_too(copy: Path, sweep: Run) -> None:
    expected = loss_on_test_text(save_book(copy / "book", positions=32), copy)
    said = sweep(copy, "evaluate", "book")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith(f"book: {expected:.4f} nats per token, ")


def test_a_reference_is_not_in_the_family_and_changes_no_verdict(
    reports: tuple[dict[str, Any], Done, dict[str, Any]],
) -> None:
    before, _, after = reports
    [reference] = after.pop("references")
    assert before.pop("references") == []
    assert before == after
    assert reference["difference"] == reference["test_loss"] - after["arms"][0]["mean"]


@pytest.mark.slow
@pytest.mark.usefixtures("reports")
def test_a_reference_is_in_every_format_of_the_report(place: Path, sweep: Run) -> None:
    table, markdown, plain = (
        sweep(place, "report", "--format", form).stdout for form in ("table", "md", "csv")
    )
    rows = list(csv.DictReader(io.StringIO(plain)))
    assert [row["arm"] for row in rows] == ["baseline", "no-dropout", "clip", "gpt2"]
    line = rows[-1]
    assert line["verdict"] == "reference"
    assert {line[key] for key in ("n_done", "p", "p_adjusted", "ci_low", "interventions")} == {""}
    loss, effect = float(line["mean"]), float(line["effect"])
    assert re.search(
        rf"\| gpt2 \|  \| {loss:.4f} \| \{effect:+.4f} [| ]+ reference [| ]+\n", markdown
    )
    [row] = [line.split() for line in table.splitlines() if line.startswith(" gpt2 ")]
    assert (row[0], row[-2:]) == ("gpt2", [f"{effect:+.4f}", "reference"])
    words = " ".join(table.split())
    assert "put beside the arms: its effect is its loss − the baseline's mean, on the " in words
    assert f"gpt2: {loss:.4f} nats per token, " in words


@pytest.mark.slow
def test_evaluating_a_run_gives_the_test_loss_of_its_training(copy: Path, sweep: Run) -> None:
    assert sweep(copy, "evaluate", "clip/2").returncode == 0
    assert sweep(copy, "evaluate", "clip/2", "--name", "the best").returncode == 0
    [reference] = json.loads(sweep(copy, "report", "--format", "json").stdout)["references"]
    known = json.loads(sweep(copy, "show", "clip/2", "--format", "json").stdout)["test_loss"]
    assert reference["name"] == "the best"  # measured twice, it is still one model
    assert reference["test_loss"] == pytest.approx(known, abs=1e-6)
    gone = sweep(copy, "evaluate", "the best", "--remove")
    assert gone.stdout == "tiny is not compared with the best any more.\n"
    assert json.loads(sweep(copy, "report", "--format", "json").stdout)["references"] == []
    again = sweep(copy, "evaluate", "the best", "--remove")
    assert again.returncode == 2
    assert again.stderr == "sweep: 'tiny' has no reference 'the best' (it has: nothing)\n"


@pytest.mark.slow
def test_a_reference_is_shown_only_while_the_study_tests_on_the_same_text(
    copy: Path, sweep: Run
) -> None:
    assert sweep(copy, "evaluate", "clip/2", "--name", "x").returncode == 0
    short = ("run", "s.toml", "--override", "evaluation.chunks=1")
    assert "reference" not in sweep(copy, *short).stdout
    assert "reference" in sweep(copy, "run", "s.toml").stdout


def forget_the_tokens(place: Path) -> None:
    letters = byte_letters()
    write_tokens(place / "gpt2", letters | {"a": letters["b"], "b": letters["a"]})


def shorten_the_context(place: Path) -> None:
    save_gpt2(place / "gpt2", positions=8)


def lose_the_corpus(place: Path) -> None:
    shutil.rmtree(place / "runs" / "cache")


def import_a_study(place: Path) -> None:
    (place / "r.csv").write_text("arm,seed,loss\nbaseline,1,3\nx,1,2\nbaseline,2,3\nx,2,2\n")
    command = [sys.executable, "-m", "sweep", "import", "r.csv", "--study", "theirs"]
    subprocess.run(command, cwd=place, check=True, capture_output=True)


def nothing(_place: Path) -> None:
    pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prepare", "words", "sentence"),
    [
        (forget_the_tokens, ["gpt2"], "{}/gpt2 has other tokens (257 of them) than data.tokenizer"),
        (shorten_the_context, ["gpt2"], "{}/gpt2 has 8 positions, and the study evaluates with"),
        (lose_the_corpus, ["gpt2"], "the study's corpus "),
        (
            import_a_study,
            ["gpt2", "--study", "theirs"],
            "the test text of 'theirs' is unknown: its",
        ),
        (nothing, ["gpt3"], "there is no folder 'gpt3', and there is no run 'gpt3'"),
        (nothing, ["."], "{} has no weights: neither a config.json of a GPT-2"),
        (nothing, ["gpt2", "--study", "x"], "runs/sweep.db has no study 'x'"),
        (nothing, ["gpt2", "--name", "clip"], "'tiny' has an arm 'clip'; give the model another"),
        (nothing, ["gpt2", "--name", "a\x1b[2J"], "a report cannot call a model 'a\\x1b[2J': a na"),
        (nothing, ["gpt2", "--remove"], "'tiny' has no reference 'gpt2' (it has: nothing)"),
    ],
)
def test_a_model_that_cannot_be_compared_is_refused_in_one_sentence_and_not_recorded(
    prepare: Callable[[Path], None],
    words: list[str],
    sentence: str,
    copy: Path,
    sweep: Run,
) -> None:
    save_gpt2(copy / "gpt2")
    prepare(copy)
    done = sweep(copy, "evaluate", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"sweep: {sentence.format(copy.resolve())}")
    assert len(done.stderr.splitlines()) == 1
    with closing(sqlite3.connect(copy / "runs" / "sweep.db")) as connection:
        assert connection.execute("SELECT COUNT(*) FROM reference_models").fetchone() == (0,)
