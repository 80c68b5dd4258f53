"""Weights that come from elsewhere: read exactly, known by their content, refused in sentences."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel

from model.gpt import GPT
from tests.trainer.gpt2 import byte_tokens, write_tokens
from trainer.corpora.tokenizer import ByteTokenizer, byte_letters
from trainer.errors import CorpusError, WeightsError
from trainer.recipe import Recipe
from trainer.rundir.directory import RunDirectory
from trainer.weights.pretrained import open_pretrained
from trainer.weights.tokenizer_files import check_same_tokens, find_tokenizer
from trainer.weights.weights import load_model, load_weights

Weights = Callable[..., tuple[RunDirectory, GPT]]
MakeRecipe = Callable[..., Recipe]

SIZES = {"vocab_size": 257, "n_positions": 16, "n_embd": 16, "n_layer": 2, "n_head": 2}
FITTING = {"model.layers": 2, "model.qkv_bias": True, "model.dropout": 0.0}


def make_gpt2(**fields: Any) -> GPT2LMHeadModel:  # noqa: ANN401
    """A GPT-2 of transformers' own making, with random weights and biases."""
    torch.manual_seed(1)
    model = GPT2LMHeadModel(GPT2Config(**SIZES, bos_token_id=256, eos_token_id=256, **fields))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


@pytest.fixture(scope="module")
def gpt2() -> GPT2LMHeadModel:
    return make_gpt2()


@pytest.fixture
def folder(gpt2: GPT2LMHeadModel, tmp_path: Path) -> Path:
    """That model, saved by transformers."""
    gpt2.save_pretrained(tmp_path / "gpt2")
    return tmp_path / "gpt2"


def difference(theirs: GPT2LMHeadModel, ours: GPT) -> float:
    """The largest between two models' logits."""
    read = torch.randint(0, 257, (3, ours.config.context))
    with torch.no_grad():
        return float((theirs(read).logits - ours(read)).abs().max())


@pytest.mark.parametrize("tied", [True, False])
def test_a_gpt2_saved_by_transformers_gives_the_same_logits(tied: bool, tmp_path: Path) -> None:
    theirs = make_gpt2(tie_word_embeddings=tied)
    theirs.save_pretrained(tmp_path)
    source = open_pretrained(tmp_path)
    assert source.config.tie_embeddings == tied
    assert difference(theirs, load_model(source)) <= 1e-5


def test_names_without_their_prefix_and_old_buffers_are_understood(
    gpt2: GPT2LMHeadModel, folder: Path
) -> None:
    """OpenAI's own models on the hub have such files."""
    before = open_pretrained(folder).hash
    tensors = load_file(folder / "model.safetensors")
    bare = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    bare |= {"h.0.attn.bias": torch.ones(1, 1, 16, 16), "h.0.attn.masked_bias": torch.tensor(-1e4)}
    save_file(bare, folder / "model.safetensors")
    assert difference(gpt2, load_model(open_pretrained(folder))) <= 1e-5
    assert open_pretrained(folder).hash == before


def test_weights_in_several_files_are_the_same_weights(
    gpt2: GPT2LMHeadModel, folder: Path, tmp_path: Path
) -> None:
    gpt2.save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1
    source = open_pretrained(tmp_path / "shards")
    assert difference(gpt2, load_model(source)) <= 1e-5
    assert source.hash == open_pretrained(folder).hash


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision_is_read_into_float32(
    kind: torch.dtype, gpt2: GPT2LMHeadModel, folder: Path
) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file({n: t.to(kind) for n, t in tensors.items()}, folder / "model.safetensors")
    ours = load_model(open_pretrained(folder))
    assert ours.head.weight.dtype == torch.float32
    assert 0 < difference(gpt2, ours) < 0.1


def test_other_weights_have_another_hash(folder: Path) -> None:
    before = open_pretrained(folder).hash
    tensors = load_file(folder / "model.safetensors")
    tensors["transformer.h.1.mlp.c_fc.bias"][3] += 1e-3
    save_file(tensors, folder / "model.safetensors")
    assert open_pretrained(folder).hash != before


def test_a_run_is_read_as_it_was(make_weights: Weights, tmp_path: Path) -> None:
    for number, (norm, bias, tied) in enumerate([("rms", False, True), ("layer", True, False)]):
        shape = {"model.norm": norm, "model.qkv_bias": bias, "model.tie_embeddings": tied}
        run, model = make_weights(tmp_path / str(number), shape)
        source = open_pretrained(run.path)
        again = load_model(source)
        assert source.config == model.config
        assert all(a.equal(b) for a, b in zip(again.parameters(), model.parameters(), strict=True))


def test_a_model_may_have_less_context_an_untied_head_and_a_bias(
    make_weights: Weights, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    run, model = make_weights(tmp_path / "run", {"model.tie_embeddings": True})
    source = open_pretrained(run.path)
    recipe = make_recipe({"model.qkv_bias": True, "model.context": 8})
    source.check_fits(recipe)
    other = GPT(recipe.model, 257).eval()
    load_weights(other, source)
    read = torch.randint(0, 257, (3, 8))
    torch.testing.assert_close(other(read), model(read), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model.layers": 3}, "model.layers = 3, but the weights there have 2; set model.layers"),
        ({"model.heads": 4}, "model.heads = 4, but the weights there have 2; set model.heads = 2"),
        ({"model.width": 32}, "model.width = 32, but the weights there have 16"),
        ({"model.norm": "rms"}, "model.norm = 'rms', but the weights there have 'layer'; set "),
        ({"model.context": 32}, "model.context = 32, but the weights there have 16 positions"),
        ({"model.qkv_bias": False}, "the weights there have a bias in their query, key and value"),
        ({"data.tokenizer": "bpe-300"}, "data.tokenizer = 'bpe-300' has 300 tokens, but the weigh"),
    ],
)
def test_a_model_of_another_shape_is_refused_naming_the_field(
    change: dict[str, Any], words: str, folder: Path, make_recipe: MakeRecipe
) -> None:
    source = open_pretrained(folder)
    source.check_fits(make_recipe(FITTING))
    with pytest.raises(WeightsError) as refused:
        source.check_fits(make_recipe(FITTING | change))
    assert str(refused.value).startswith(f"train.initial_weights = {str(folder)!r}: {words}")


def test_a_tied_model_cannot_use_weights_with_an_untied_head(
    make_weights: Weights, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    run, _ = make_weights(tmp_path / "run")
    with pytest.raises(WeightsError, match="set model.tie_embeddings = false"):  # noqa: RUF043
        open_pretrained(run.path).check_fits(make_recipe({"model.tie_embeddings": True}))


def damage_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def damage_nothing_there(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def damage_truncated(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-7])


def damage_missing_tensor(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["transformer.h.1.mlp.c_fc.bias"]
    save_file(tensors, folder / "model.safetensors")


def damage_shape(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["transformer.h.1.mlp.c_fc.bias"] = torch.zeros(3)
    save_file(tensors, folder / "model.safetensors")


def damage_kind(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["transformer.ln_f.bias"] = torch.zeros(16, dtype=torch.int64)
    save_file(tensors, folder / "model.safetensors")


def damage_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def damage_kind_of_model(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "opt"}')


def damage_layers(folder: Path) -> None:
    fields = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps(fields | {"n_layer": 2**20}))


def damage_index(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder.parent / "model.safetensors")
    index = {"weight_map": {"wte.weight": "../model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def damage_everything(folder: Path) -> None:
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (damage_pickle, "has its weights in pytorch_model.bin, a pickle, which can run any code"),
        (damage_nothing_there, "has a config.json but no model.safetensors"),
        (damage_truncated, ": its safetensors are damaged ("),
        (damage_missing_tensor, "of its model: missing: transformer.h.1.mlp.c_fc.bias"),
        (
            damage_shape,
            "different: transformer.h.1.mlp.c_fc.bias is F32 [3] and not floating-point",
        ),
        (
            damage_kind,
            "different: transformer.ln_f.bias is I64 [16] and not floating-point numbers",
        ),
        (damage_config, "config.json is not JSON: "),
        (damage_kind_of_model, "config.json: model_type is 'opt', and only 'gpt2'"),
        (damage_layers, "has fewer tensors than config.json has layers"),
        (damage_index, "names '../model.safetensors', which is not a file beside it"),
        (damage_everything, "has no weights: neither a config.json of a GPT-2 in Hugging Face's"),
    ],
)
def test_weights_that_cannot_be_used_are_refused_with_a_message(
    damage: Callable[[Path], None], words: str, folder: Path
) -> None:
    damage(folder)
    with pytest.raises(WeightsError) as refused:
        open_pretrained(folder)
    assert str(folder) in str(refused.value)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_run_without_weights_says_why(make_weights: Weights, tmp_path: Path) -> None:
    run, _ = make_weights(tmp_path / "run")
    run.weights.unlink()
    with pytest.raises(WeightsError, match="has no weights: the run is not finished, or jobs"):
        open_pretrained(run.path)


BYTES = byte_tokens(byte_letters())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (byte_tokens({"a": 0}), "has 2 tokens and its model 257"),
        (byte_tokens({"a": 0, "三": 1}), "is not byte-level: its token 1 has the letter '三'"),
        (BYTES | {"normalizer": {"type": "Lowercase"}}, "its normalizer changes text (Lowercase)"),
        (BYTES | {"pre_tokenizer": {"type": "Whitespace"}}, "its pre_tokenizer has no ByteLevel"),
        ({"model": 3}, "is not a tokenizer.json of Hugging Face's `tokenizers`: it has no model"),
        ([], "has no tokenizer.json"),
    ],
)
def test_a_tokenizer_that_cannot_be_represented_is_refused(
    content: Any,  # noqa: ANN401  (JSON)
    words: str,
    folder: Path,
) -> None:
    if content:
        (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises((WeightsError, CorpusError)) as refused:
        find_tokenizer(open_pretrained(folder))
    assert words in str(refused.value)


def test_tokens_are_compared_and_not_only_counted(folder: Path) -> None:
    letters = byte_letters()
    check = partial(check_same_tokens, tokenizer=ByteTokenizer(), name="bytes")
    write_tokens(folder, letters)
    check(open_pretrained(folder))
    write_tokens(folder, letters | {"a": letters["b"], "b": letters["a"]})
    with pytest.raises(WeightsError, match=r"has other tokens \(257 of them\) than data"):
        check(open_pretrained(folder))
