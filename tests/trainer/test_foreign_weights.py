"""Weights as people have them: padded, wrapped, with added tokens, or nanoGPT's checkpoint."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import GPT2LMHeadModel

from model.gpt import GPT
from tests.trainer.gpt2 import byte_tokens, save_gpt2
from trainer.corpora.corpus import Corpus
from trainer.corpora.tokenizer import ByteTokenizer, byte_letters
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
FITTING = {"model.qkv_bias": True, "model.dropout": 0.0, "model.tie_embeddings": True}
SIZES = {"n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 16, "vocab_size": 257}


@pytest.fixture
def gpt2(tmp_path: Path) -> GPT2LMHeadModel:
    """A GPT-2 for bytes, whose folder is `gpt2`."""
    return save_gpt2(tmp_path / "gpt2")


@pytest.fixture
def folder(gpt2: GPT2LMHeadModel, tmp_path: Path) -> Path:
    assert gpt2
    return tmp_path / "gpt2"


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    path = folder / "model.safetensors"
    save_file({n: t.contiguous() for n, t in change(load_file(path)).items()}, path)


def pad(folder: Path, rows: int) -> None:
    """Add rows of zeros to the token embedding, as for faster matrix products."""

    def padded(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        name = "transformer.wte.weight"
        more = torch.zeros(rows - len(tensors[name]), 16)
        return tensors | {name: torch.cat([tensors[name], more])}

    rewrite(folder, padded)


def difference(theirs: GPT2LMHeadModel, ours: GPT) -> float:
    read = torch.randint(0, 257, (3, 16))
    with torch.no_grad():
        return float((theirs(read).logits[..., :257] - ours(read)).abs().max())


def check_is_used(source: Pretrained, theirs: GPT2LMHeadModel, make_recipe: MakeRecipe) -> None:
    """It fits a recipe for bytes, and gives transformers' logits."""
    source.check_fits(make_recipe(FITTING))
    check_same_tokens(source, ByteTokenizer(), "bytes")
    assert difference(theirs, load_model(source, vocabulary=257)) <= 1e-5


@pytest.mark.parametrize("rows", [257, 258, 264, 320, 384])
@pytest.mark.parametrize("configured", [True, False])
def test_rows_beyond_the_tokens_are_left_out_and_that_is_said(
    rows: int, configured: bool, gpt2: GPT2LMHeadModel, folder: Path, make_recipe: MakeRecipe
) -> None:
    pad(folder, rows)
    if configured:
        fields = json.loads((folder / "config.json").read_bytes())
        (folder / "config.json").write_text(json.dumps(fields | {"vocab_size": rows}))
    source = open_pretrained(folder)
    check_is_used(source, gpt2, make_recipe)
    said = (
        f"{folder} has rows for {rows} tokens, and the tokenizer has 257: the last {rows - 257} "
        "rows are left out"
    )
    assert source.notes(257) == ([said] if rows > 257 else [])


def test_many_more_rows_than_tokens_are_for_another_tokenizer(
    folder: Path, make_recipe: MakeRecipe
) -> None:
    pad(folder, 500)
    with pytest.raises(WeightsError) as refused:
        open_pretrained(folder).check_fits(make_recipe(FITTING))
    assert "'bytes' has 257 tokens, but the weights there have rows for 500; use the tok" in str(
        refused.value
    )


def test_a_token_added_for_padding_is_left_out(
    gpt2: GPT2LMHeadModel, folder: Path, make_recipe: MakeRecipe
) -> None:
    pad(folder, 258)
    content = byte_tokens(byte_letters())
    padding = content["added_tokens"][0] | {"id": 257, "content": "[PAD]"}
    content["added_tokens"].append(padding)
    (folder / "tokenizer.json").write_text(json.dumps(content))
    (folder / "tokenizer_config.json").write_text('{"eos_token": "<|endoftext|>"}')
    check_is_used(open_pretrained(folder), gpt2, make_recipe)


def test_a_run_notes_the_rows_that_were_left_out(
    folder: Path, make_recipe: MakeRecipe, corpus: Corpus
) -> None:
    pad(folder, 264)
    recipe = make_recipe(FITTING | {"train.initial_weights": str(folder)})
    trainer = Trainer(recipe, corpus, Place(torch.device("cpu"), Execution()))
    trainer.load_initial_weights(find_weights(str(folder)))
    assert "the last 7 rows are left out" in trainer.progress.notes[-1]


WRAPPERS = ("_orig_mod.", "module.", "model.", "transformer.")


@pytest.mark.parametrize("seed", range(12))
def test_prefixes_of_wrappers_are_understood_in_any_combination(
    seed: int, gpt2: GPT2LMHeadModel, folder: Path, make_recipe: MakeRecipe
) -> None:
    before = open_pretrained(folder).hash
    draw = random.Random(seed)
    prefix = "".join(draw.choices(WRAPPERS, k=draw.randint(0, 4)))
    inner = draw.choice(["", "_orig_mod.", "_checkpoint_wrapped_module."])

    def wrapped(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        names = {name: prefix + name.removeprefix("transformer.") for name in tensors}
        return {names[n].replace("h.0.", f"h.0.{inner}"): t for n, t in tensors.items()}

    rewrite(folder, wrapped)
    check_is_used(open_pretrained(folder), gpt2, make_recipe)
    assert open_pretrained(folder).hash == before


def test_one_tensor_under_two_names_is_refused(folder: Path) -> None:
    rewrite(folder, lambda t: t | {"module.wpe.weight": t["transformer.wpe.weight"].clone()})
    with pytest.raises(WeightsError, match="has the tensor transformer.wpe.weight twice: as "):  # noqa: RUF043
        open_pretrained(folder)


def test_tensors_that_do_not_fit_are_named_by_kind(folder: Path) -> None:
    def change(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        kept = {n: t for n, t in tensors.items() if "ln_1" not in n}
        first = {n.replace("h.0", "h.1"): t for n, t in kept.items() if "mlp" in n}
        return {n: t.clone() for n, t in (kept | first).items()} | {
            "transformer.ln_f.bias": torch.zeros(3)
        }

    rewrite(folder, change)
    with pytest.raises(WeightsError) as refused:
        open_pretrained(folder)
    assert str(refused.value) == (
        f"{folder} does not have the tensors of its model: missing: transformer.h.0.ln_1.weight, "
        "transformer.h.0.ln_1.bias; unexpected: transformer.h.1.mlp.c_fc.bias, "
        "transformer.h.1.mlp.c_fc.weight, transformer.h.1.mlp.c_proj.bias and 1 more; different: "
        "transformer.ln_f.bias is F32 [3] and not floating-point numbers [16]"
    )


def nanogpt(folder: Path, *, bias: bool = True, prefix: str = "_orig_mod.") -> dict[str, Any]:
    """The content of nanoGPT's checkpoint with the weights of a folder, its embedding padded."""
    tensors = load_file(folder / "model.safetensors")
    matrices = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    state = {
        prefix + name: tensor.t().contiguous() if name.endswith(matrices) else tensor
        for name, tensor in tensors.items()
        if bias or not name.endswith(".bias")
    }
    rows = torch.cat([tensors["transformer.wte.weight"], torch.randn(7, 16)])
    state[f"{prefix}transformer.wte.weight"] = state[f"{prefix}lm_head.weight"] = rows
    sizes = SIZES | {"vocab_size": 264, "bias": bias, "dropout": 0.0}
    return {"model": state, "optimizer": {"state": {}}, "model_args": sizes, "iter_num": 3}


@pytest.mark.parametrize("prefix", ["", "_orig_mod.", "module._orig_mod."])
@pytest.mark.parametrize("bias", [True, False])
def test_a_checkpoint_of_nanogpt_is_read_with_its_weights(
    bias: bool, prefix: str, gpt2: GPT2LMHeadModel, folder: Path, tmp_path: Path
) -> None:
    torch.save(nanogpt(folder, bias=bias, prefix=prefix), tmp_path / "ckpt.pt")
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    source = find_weights(str(tmp_path / "ckpt.pt"))
    assert open_pretrained(tmp_path).hash == source.hash
    assert (source.rows, source.config.tie_embeddings) == (264, True)
    assert source.config.qkv_bias == bias
    check_same_tokens(source, ByteTokenizer(), "bytes")
    if not bias:
        for name, parameter in gpt2.named_parameters():
            if name.endswith(".bias"):
                parameter.data.zero_()
    assert difference(gpt2, load_model(source, vocabulary=257)) <= 1e-5
    assert [note.split(": ")[1][:40] for note in source.notes(257)][1:] == [
        "nanoGPT computes GELU exactly and this m"
    ]


def save_code(path: Path, content: dict[str, Any]) -> None:
    torch.save(content | {"config": Path("a")}, path)


def save_state(path: Path, content: dict[str, Any]) -> None:
    torch.save(content["model"], path)


def save_list(path: Path, content: dict[str, Any]) -> None:
    torch.save([content], path)


def save_sizes(path: Path, content: dict[str, Any]) -> None:
    torch.save(content | {"model_args": SIZES | {"n_layer": "12"}}, path)


def save_layers(path: Path, content: dict[str, Any]) -> None:
    torch.save(content | {"model_args": SIZES | {"n_layer": 99}}, path)


def save_text(path: Path, _content: dict[str, Any]) -> None:
    path.write_text("not a checkpoint")


@pytest.mark.parametrize(
    ("save", "words"),
    [
        (save_code, "holds more than tensors and plain values, and is not read: such a pickle can"),
        (save_state, "is not a checkpoint of nanoGPT's: it has 'transformer."),
        (save_list, "is not a checkpoint of nanoGPT's: it holds no dictionary"),
        (save_sizes, "its model_args are not all whole numbers: {'n_layer': '12', "),
        (save_layers, "has fewer tensors than layers"),
        (save_text, ""),
    ],
)
def test_another_pickle_is_refused_with_a_message(
    save: Callable[[Path, dict[str, Any]], None], words: str, folder: Path, tmp_path: Path
) -> None:
    save(tmp_path / "ckpt.pt", nanogpt(folder, prefix=""))
    with pytest.raises(WeightsError) as refused:
        open_pretrained(tmp_path / "ckpt.pt")
    assert str(refused.value).startswith(f"{tmp_path / 'ckpt.pt'}")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
