"""A run that begins with weights from elsewhere: with exactly those, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from model.gpt import GPT
from tests.trainer.gpt2 import save_gpt2, write_tokens
from trainer.corpora.corpus import Corpus
from trainer.corpora.tokenizer import byte_letters, train_tokenizer
from trainer.errors import WeightsError
from trainer.execution import Execution
from trainer.recipe import Recipe
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit
from trainer.training.trainer import Trainer
from trainer.training.world import Place
from trainer.weights.export import export
from trainer.weights.initial import check_tokens, find_weights

Weights = Callable[..., tuple[RunDirectory, GPT]]
MakeRecipe = Callable[..., Recipe]
MakeRun = Callable[..., RunDirectory]
Attempt = Callable[..., int]

EXACT = 1e-5
STILL = {"optimizer.learning_rate": 1e-30}
"""A learning rate so small that no weight changes."""


@pytest.fixture
def gpt2(tmp_path: Path) -> Path:
    """A folder written by transformers."""
    save_gpt2(tmp_path / "gpt2", tied=False, biased=False)
    return tmp_path / "gpt2"


@pytest.fixture
def make_both(make_weights: Weights, tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Weights from transformers or of a run, and a folder in which transformers can load them."""

    def make(origin: str, tied: bool, biased: bool) -> tuple[Path, Path]:
        source = tmp_path / "source"
        if origin == "transformers":
            save_gpt2(source, tied=tied, biased=biased)
            return source, source
        run, _ = make_weights(source, {"model.tie_embeddings": tied, "model.qkv_bias": biased})
        export(run, tmp_path / "exported", "")
        return source, tmp_path / "exported"

    return make


@pytest.mark.parametrize("shape", [*product([True, False], repeat=2)])
@pytest.mark.parametrize("origin", ["transformers", "a run"])
def test_training_begins_with_the_logits_that_transformers_computes_for_the_weights(
    shape: tuple[bool, bool],
    origin: str,
    make_both: Callable[..., tuple[Path, Path]],
    make_recipe: MakeRecipe,
    corpus: Corpus,
) -> None:
    source, folder = make_both(origin, *shape)
    theirs = AutoModelForCausalLM.from_pretrained(folder).eval()
    fields = dict(zip(("model.tie_embeddings", "model.qkv_bias"), shape, strict=True))
    recipe = make_recipe(fields | {"train.initial_weights": str(source)})
    trainer = Trainer(recipe, corpus, Place(torch.device("cpu"), Execution()))
    read = torch.randint(0, 257, (3, 16))
    with torch.no_grad():
        before = trainer.model.eval()(read)
        trainer.load_initial_weights(find_weights(str(source)))
        logits = trainer.model(read)
        assert (theirs(read).logits - logits).abs().max() <= EXACT
    assert not before.equal(logits)
    assert logits.std() > 0.1


@pytest.mark.slow
def test_a_run_with_any_seed_begins_with_the_initial_weights_and_records_them(
    make_run: MakeRun, attempt: Attempt, make_weights: Weights, tmp_path: Path
) -> None:
    source, _ = make_weights(tmp_path / "source")
    changes = {"train.initial_weights": str(source.path), **STILL}
    for seed in (1, 2):
        run = make_run(f"run-{seed}", changes | {"seeds.init": seed})
        assert attempt(run) == Exit.DONE
        ours, theirs = load_file(run.weights), load_file(source.weights)
        assert ours.keys() == theirs.keys()
        assert all(ours[name].equal(theirs[name]) for name in ours)
        result = run.read_result()
        assert result
        hashed = find_weights(str(source.path)).hash
        assert result.provenance["initial_weights"] == {
            "folder": str(source.path),
            "hash": hashed,
        }


def test_a_run_with_initial_weights_that_is_killed_and_continued_ends_with_the_same_bits(
    make_run: MakeRun, attempt: Attempt, gpt2: Path
) -> None:
    changes = {"train.initial_weights": str(gpt2), "model.dropout": 0.3}
    whole = make_run("whole", changes)
    assert attempt(whole) == Exit.DONE
    killed = make_run("killed", changes, checkpoint_seconds=0)
    assert attempt(killed, step=1) == -9
    assert attempt(killed, step=5) == -9
    assert attempt(killed) == Exit.DONE
    one, other = whole.read_result(), killed.read_result()
    assert one
    assert other
    assert one.chunk_losses == other.chunk_losses
    assert whole.weights.read_bytes() == killed.weights.read_bytes()


def test_several_processes_begin_with_the_same_weights(
    make_run: MakeRun, attempt: Attempt, gpt2: Path
) -> None:
    run = make_run("run", {"train.initial_weights": str(gpt2), **STILL}, processes=2)
    alone = make_run("alone", {"train.initial_weights": str(gpt2), **STILL})
    assert attempt(run) == attempt(alone) == Exit.DONE
    assert run.weights.read_bytes() == alone.weights.read_bytes()


def change_a_weight(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["transformer.h.0.mlp.c_fc.bias"][3] += 1e-3
    save_file(tensors, folder / "model.safetensors")


def swap_two_tokens(folder: Path) -> None:
    letters = byte_letters()
    write_tokens(folder, letters | {"a": letters["b"], "b": letters["a"]})


def refusal(run: RunDirectory, attempt: Attempt) -> str:
    assert attempt(run) == Exit.REFUSED
    assert run.read_result() is None
    assert not run.weights.exists()
    return run.last_log_line()


def test_weights_with_another_hash_than_the_request_are_refused(
    make_run: MakeRun, attempt: Attempt, gpt2: Path
) -> None:
    meant = find_weights(str(gpt2)).hash
    run = make_run("run", {"train.initial_weights": "anything"})
    asked = run.read_request().model_copy(update={"weights_hash": meant, "weights": str(gpt2)})
    run.write_request(asked)
    change_a_weight(gpt2)
    found = find_weights(str(gpt2)).hash
    assert refusal(run, attempt) == (
        f"{run.recipe} is meant for the initial weights {meant[:16]}, but {gpt2} has {found[:16]} "
        "now; put those back, or run the study again"
    )


def test_a_checkpoint_of_other_weights_is_not_continued(
    make_run: MakeRun, attempt: Attempt, gpt2: Path
) -> None:
    changes = {"train.initial_weights": str(gpt2), **STILL}
    run = make_run("run", changes, checkpoint_seconds=0)
    assert attempt(run, step=5) == -9
    change_a_weight(gpt2)
    assert attempt(run) == Exit.FAILED
    assert "belongs to another recipe" in run.last_log_line()
    assert run.read_result() is None


@pytest.mark.parametrize(
    ("damage", "changes", "words"),
    [
        (swap_two_tokens, {}, "has other tokens (257 of them) than data.tokenizer = 'bytes' (257)"),
        (
            lambda path: (path / "tokenizer.json").unlink(),
            {},
            "has no tokenizer.json, so the meaning",
        ),
        (lambda _: None, {"model.width": 32}, "model.width = 32, but the weights there have 16"),
        (
            lambda path: path.rename(path.with_name("g")),
            {},
            ": there is no such folder or file; name the",
        ),
    ],
)
def test_a_run_outside_a_study_refuses_weights_that_do_not_fit(
    damage: Callable[[Path], None],
    changes: dict[str, Any],
    words: str,
    make_run: MakeRun,
    attempt: Attempt,
    gpt2: Path,
) -> None:
    damage(gpt2)
    run = make_run("run", {"train.initial_weights": str(gpt2), **changes})
    assert words in refusal(run, attempt)


def test_tokens_are_compared_with_a_corpus_that_is_not_saved_yet(
    make_weights: Weights, corpus: Corpus, tmp_path: Path
) -> None:
    text = [f"The {i} grey geese of {i * i} lakes fly to {i % 7}." for i in range(999)]
    ours, other = (train_tokenizer("bpe-300", some) for some in (text, [text[0] * 9, *text[500:]]))
    assert ours != other
    run, _ = make_weights(tmp_path / "run", {"data.tokenizer": "bpe-300"})
    (run.path / "tokenizer.json").write_bytes(ours)
    weights = find_weights(str(run.path))
    check_tokens(weights, "bpe-300", replace(corpus, tokenizer=ours), tmp_path)
    check_tokens(weights, "bpe-300", None, tmp_path)  # the tokenizer is not made yet
    with pytest.raises(WeightsError, match=r"has other tokens \(300 of them\) than data"):
        check_tokens(weights, "bpe-300", replace(corpus, tokenizer=other), tmp_path)


def test_a_folder_is_looked_up_in_the_working_directory_and_beside_the_study(
    gpt2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert find_weights("gpt2", tmp_path).folder == gpt2.resolve()
    with pytest.raises(WeightsError) as nowhere:
        find_weights("gpt3", tmp_path)
    assert str(nowhere.value) == (
        "train.initial_weights = 'gpt3': there is no such folder or file, also not in "
        f"{tmp_path}; name the folder of a finished run, of a GPT-2 in Hugging Face's format (`hf "
        "download openai-community/gpt2 --local-dir gpt2` fetches OpenAI's) or of a model of "
        "Raschka's book (model.json and a safetensors file), or a ckpt.pt of nanoGPT's"
    )
    Path("gpt2").symlink_to(gpt2)  # the same folder, if by another name
    assert find_weights("gpt2", tmp_path).folder == gpt2.resolve()
    (tmp_path / "here" / "gpt2").unlink()
    save_gpt2(tmp_path / "here" / "gpt2", tied=True, biased=True)
    with pytest.raises(WeightsError, match=r" is ambiguous: .+; write the absolute path"):
        find_weights("gpt2", tmp_path)
