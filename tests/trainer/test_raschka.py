"""Weights in the form of Raschka's book: `model.json` and a safetensors file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.trainer.book import save_book
from tests.trainer.plain_model import GPT2
from trainer.corpora.corpus import Corpus
from trainer.corpora.tokenizer import ByteTokenizer
from trainer.errors import WeightsError
from trainer.execution import Execution
from trainer.recipe import Recipe
from trainer.training.trainer import Trainer
from trainer.training.world import Place
from trainer.weights.initial import find_weights
from trainer.weights.pretrained import Pretrained, open_pretrained
from trainer.weights.tokenizer_files import check_same_tokens
from trainer.weights.weights import load_model

MakeRecipe = Callable[..., Recipe]
Tensors = dict[str, Tensor]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model whose head is its own, and whose projections have no QKV bias."""
    save_book(tmp_path / "book")
    return tmp_path / "book"


def rewrite(folder: Path, change: Callable[[Tensors], Tensors]) -> None:
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path)


def describe(folder: Path, **fields: object) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | fields))


def difference(theirs: GPT2, source: Pretrained) -> float:
    """The largest between the logits of a textbook model and of ours."""
    read = torch.randint(0, 257, (3, 16))
    with torch.no_grad():
        return float((theirs(read) - load_model(source)(read)).abs().max())


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("biased", [True, False])
def test_a_model_of_the_book_gives_the_logits_of_a_textbook_model(
    tied: bool, biased: bool, tmp_path: Path, make_recipe: MakeRecipe
) -> None:
    theirs = save_book(tmp_path / "book", tied=tied, biased=biased)
    source = open_pretrained(tmp_path / "book")
    assert (source.config.tie_embeddings, source.config.qkv_bias) == (tied, biased)
    assert difference(theirs, source) <= 1e-5
    check_same_tokens(source, ByteTokenizer(), "bytes")
    changes = {"model.layers": 2, "model.qkv_bias": biased, "model.tie_embeddings": tied}
    source.check_fits(make_recipe(changes))
    assert source.notes(257) == []


def test_training_begins_with_the_weights_and_their_hash_is_that_of_the_model(
    folder: Path, make_recipe: MakeRecipe, corpus: Corpus
) -> None:
    source = find_weights(str(folder))
    recipe = make_recipe({"model.layers": 2, "train.initial_weights": str(folder)})
    trainer = Trainer(recipe, corpus, Place(torch.device("cpu"), Execution()))
    trainer.load_initial_weights(source)
    stored = load_file(folder / "model.safetensors")
    parts = [stored[f"trf_blocks.1.att.W_{part}.weight"] for part in ("query", "key", "value")]
    qkv = dict(trainer.model.named_parameters())["blocks.1.attention.qkv.weight"]
    assert torch.equal(qkv, torch.cat(parts))
    before = source.hash
    rewrite(folder, lambda t: {f"_orig_mod.{name}": t[name] for name in t if "mask" not in name})
    assert open_pretrained(folder).hash == before
    rewrite(folder, lambda t: t | {"_orig_mod.tok_emb.weight": torch.zeros(257, 16)})
    assert open_pretrained(folder).hash != before


def without_head(folder: Path) -> None:
    rewrite(folder, lambda t: {n: t[n] for n in t if n != "out_head.weight"})


def without_embedding(folder: Path) -> None:
    rewrite(folder, lambda t: {n: t[n] for n in t if n != "tok_emb.weight"})


def another_name(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "gpt2-small.safetensors")


def as_on_the_hub(folder: Path) -> None:
    rewrite(folder, lambda t: {f"model.{name}": t[name] for name in t})
    sizes = json.loads((folder / "model.json").read_bytes())
    (folder / "model.json").unlink()
    fields = {"model_type": "gpjtgpt2", "architectures": ["GPJTGPT2Model"], "cfg": sizes}
    (folder / "config.json").write_text(json.dumps(fields))


@pytest.mark.parametrize("change", [without_head, without_embedding, another_name, as_on_the_hub])
def test_the_forms_in_which_such_models_are_published_are_all_read(
    change: Callable[[Path], None], tmp_path: Path
) -> None:
    theirs = save_book(tmp_path / "book", tied=True)
    before = open_pretrained(tmp_path / "book").hash
    change(tmp_path / "book")
    source = open_pretrained(tmp_path / "book")
    assert difference(theirs, source) <= 1e-5
    assert source.hash == before


def test_tensors_that_do_not_fit_are_named_by_kind_in_the_words_of_the_file(folder: Path) -> None:
    def change(tensors: Tensors) -> Tensors:
        kept = {n: t for n, t in tensors.items() if "norm1" not in n}
        more = {"trf_blocks.0.att.W_key.bias": torch.zeros(16), "out_head.bias": torch.zeros(257)}
        return kept | more | {"trf_blocks.1.att.W_query.weight": torch.zeros(16, 8)}

    rewrite(folder, change)
    with pytest.raises(WeightsError) as refused:
        open_pretrained(folder)
    assert str(refused.value) == (
        f"{folder} does not have the tensors of its model: missing: trf_blocks.0.norm1.scale, "
        "trf_blocks.0.norm1.shift, trf_blocks.1.norm1.scale and 1 more; unexpected: out_head.bias, "
        "trf_blocks.0.att.W_key.bias; different: trf_blocks.1.att.W_query.weight is F32 [16, 8] "
        "and not floating-point numbers [16, 16]"
    )


def tie_two_matrices(folder: Path) -> None:
    describe(folder, tie_weights=True)


def forget_the_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def write_two(folder: Path) -> None:
    (folder / "other.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    (folder / "model.safetensors").rename(folder / "some.safetensors")


def cut_the_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-5])


def write_a_list(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "gpjtgpt2", "cfg": []}')


def fields(**changes: Any) -> Callable[[Path], None]:  # noqa: ANN401
    """A change of `model.json`."""
    return lambda folder: describe(folder, **changes)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (fields(moe={"num_experts": 6}), "/model.json has 'moe', which may stand for another netw"),
        (
            fields(n_layers="2"),
            "/model.json: its sizes are not all whole numbers above 0: {'vocab_",
        ),
        (fields(n_heads=0), "/model.json: its sizes are not all whole numbers above 0: {'vocab_"),
        (fields(n_heads=3), "/model.json describes no model: "),
        (fields(n_layers=10**9), "/model.json describes no model: n_layers: Input should be less"),
        (
            fields(qkv_bias="no"),
            "/model.json: these are not all true or false: {'qkv_bias': 'no', ",
        ),
        (fields(n_layers=10**6), " has fewer tensors than model.json has layers"),
        (fields(n_layers=1), "unexpected: trf_blocks.1.att.W_key.weight, "),
        (
            fields(vocab_size=258),
            "different: tok_emb.weight is F32 [257, 16] and not floating-poin",
        ),
        (fields(qkv_bias=True), "missing: trf_blocks.0.att.W_query.bias, "),
        (
            tie_two_matrices,
            "says that the weights are tied, but out_head.weight and tok_emb.weight",
        ),
        (
            forget_the_weights,
            " has no safetensors file; write the weights there with safetensors.t",
        ),
        (
            write_two,
            " has 2 safetensors files (other.safetensors, some.safetensors); call the one ",
        ),
        (cut_the_weights, ": its safetensors are damaged ("),
        (write_a_list, "/config.json: its cfg is not a JSON object"),
    ],
)
def test_a_folder_that_cannot_be_read_is_refused_in_one_sentence(
    damage: Callable[[Path], None], words: str, folder: Path
) -> None:
    damage(folder)
    with pytest.raises(WeightsError) as refused:
        open_pretrained(folder)
    assert str(refused.value).startswith(str(folder))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
