"""Models with the names of Raschka's book: `model.json`, and the parameters in a safetensors file.

Sebastian Raschka, "Build a Large Language Model (From Scratch)", 2024, chapter 4, has the network;
its `GPT_CONFIG_124M` is the content of `model.json`. Models that are published with it, such as
those of github.com/gpjt/ddp-base-model-from-scratch, may have `tie_weights` beside it. On the hub
they have `config.json` instead, whose `cfg` is that dictionary. This module does not import torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from model.config import ModelConfig
from model.huggingface import Parameter
from trainer.errors import WeightsError
from trainer.weights.safetensors_files import (
    INDEX,
    WEIGHTS,
    StoredTensor,
    all_entries,
    entries,
)
from trainer.weights.tensor_names import bare_names

DESCRIPTION = "model.json"
HUB_TYPE = "gpjtgpt2"
"""`model_type` of such a model on the hub."""
_FIELDS = {
    "context": "context_length",
    "width": "emb_dim",
    "heads": "n_heads",
    "layers": "n_layers",
}
"""Sizes by their names in `ModelConfig`."""
_SIZES = ("vocab_size", *_FIELDS.values())
_KEYS = (*_SIZES, "drop_rate", "qkv_bias", "tie_weights")
"""All that is read. Another key, such as `moe`, stands for another network."""
_EMBEDDING, _HEAD = "tok_emb.weight", "out_head.weight"
_PARTS = ("query", "key", "value")
"""What `attention.qkv` consists of, from its first row to its last."""
_PART = re.compile(rf"\battention\.({'|'.join(_PARTS)})\.")
_BLOCK: Mapping[str, tuple[str, int, int]] = {
    **{f"attention.{part}": (f"att.W_{part}", 1, 1) for part in _PARTS},
    "attention.projection": ("att.out_proj", 1, 1),
    "feed_forward.expand": ("ff.layers.0", 4, 1),
    "feed_forward.projection": ("ff.layers.2", 1, 4),
}
"""The matrices of a block: the book's name, and (outputs, inputs) as multiples of the width."""
_NORMS = {"attention_norm": "norm1", "feed_forward_norm": "norm2"}


class ScratchModel(NamedTuple):
    """A model of the book's."""

    config: ModelConfig
    vocabulary: int
    tensors: Mapping[str, StoredTensor]
    """By the book's names, without the head if it is tied."""


def read_raschka(path: Path, fields: object) -> ScratchModel:
    """Read a model by its description, the `fields` in the file `path`, and the weights beside it.

    `drop_rate` is not used: weights do not depend on it. Raises WeightsError if the description or
    the files are unlike the format.
    """
    if not isinstance(fields, dict):
        raise WeightsError(f"{path}: its cfg is not a JSON object")
    config = _config(path, fields)
    folder = path.parent
    tensors = bare_names(_entries(folder), str(folder))
    if config.tie_embeddings:
        _drop_copy(tensors, path)
    return ScratchModel(config, fields["vocab_size"], tensors)


def _config(path: Path, fields: Mapping[str, object]) -> ModelConfig:
    unknown = sorted(fields.keys() - set(_KEYS))
    if unknown:
        raise WeightsError(
            f"{path} has {', '.join(map(repr, unknown))[:200]}, which may stand for another network; "
            f"only these are understood: {', '.join(_KEYS)}"
        )
    sizes = {name: fields.get(name) for name in _SIZES}
    if any(type(size) is not int or size < 1 for size in sizes.values()):
        raise WeightsError(f"{path}: its sizes are not all whole numbers above 0: {sizes}")
    flags = {name: fields.get(name, False) for name in ("qkv_bias", "tie_weights")}
    if any(type(flag) is not bool for flag in flags.values()):
        raise WeightsError(f"{path}: these are not all true or false: {flags}")
    try:
        return ModelConfig.model_validate(
            {ours: sizes[theirs] for ours, theirs in _FIELDS.items()}
            | {"qkv_bias": flags["qkv_bias"], "tie_embeddings": flags["tie_weights"]}
            | {"norm": "layer"}
        )
    except ValidationError as error:
        first = error.errors()[0]
        names = "".join(f"{_FIELDS.get(str(name), name)}: " for name in first["loc"])
        reason = names + first["msg"].removeprefix("Value error, ")
        raise WeightsError(f"{path} describes no model: {reason}") from error


def _entries(folder: Path) -> dict[str, StoredTensor]:
    """The tensors of `model.safetensors`, or of the only safetensors file in the folder."""
    if (folder / WEIGHTS).exists() or (folder / INDEX).exists():
        return all_entries(folder)
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        raise WeightsError(
            f"{folder} has no safetensors file; write the weights there with "
            f'safetensors.torch.save_file(model.state_dict(), "{WEIGHTS}")'
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found[:5])
        raise WeightsError(
            f"{folder} has {len(found)} safetensors files ({names}); call the one that "
            f"is to be read {WEIGHTS}"
        )
    return dict(entries(found[0]))


def _drop_copy(tensors: dict[str, StoredTensor], path: Path) -> None:
    """Keep one of embedding and head. `safetensors.torch.save_model` writes either of them."""
    head = tensors.pop(_HEAD, None)
    if head is None:
        return
    embedding = tensors.setdefault(_EMBEDDING, head)
    pairs = zip_longest(head.pieces(), embedding.pieces())
    if head.dtype != embedding.dtype or any(one != other for one, other in pairs):
        raise WeightsError(
            f"{path} says that the weights are tied, but {_HEAD} and {_EMBEDDING} differ; set "
            '"tie_weights": false if the model was trained so'
        )


def raschka_parameters(model: ScratchModel) -> dict[str, Parameter]:
    """The book's parameters by this package's names, with `attention.query` and so on apart."""
    config, rows = model.config, model.vocabulary
    width = config.width
    found = {
        "token_embedding.weight": Parameter(_EMBEDDING, (rows, width)),
        "position_embedding.weight": Parameter("pos_emb.weight", (config.context, width)),
        **_norm("final_norm", "final_norm", width),
    }
    for index in range(config.layers):
        found |= _block(index, config)
    if not config.tie_embeddings:
        found["head.weight"] = Parameter(_HEAD, (rows, width))
    return found


def _block(index: int, config: ModelConfig) -> dict[str, Parameter]:
    here, there, width = f"blocks.{index}", f"trf_blocks.{index}", config.width
    found = dict[str, Parameter]()
    for ours, theirs in _NORMS.items():
        found |= _norm(f"{here}.{ours}", f"{there}.{theirs}", width)
    for ours, (theirs, outputs, inputs) in _BLOCK.items():
        shape = (outputs * width, inputs * width)
        found[f"{here}.{ours}.weight"] = Parameter(f"{there}.{theirs}.weight", shape)
        if config.qkv_bias or "W_" not in theirs:
            found[f"{here}.{ours}.bias"] = Parameter(f"{there}.{theirs}.bias", shape[:1])
    return found


def _norm(ours: str, theirs: str, width: int) -> dict[str, Parameter]:
    return {
        f"{ours}.weight": Parameter(f"{theirs}.scale", (width,)),
        f"{ours}.bias": Parameter(f"{theirs}.shift", (width,)),
    }


def qkv_parts(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """This package's parameters, each with those of `raschka_parameters` that are its rows, in order."""
    parts: dict[str, tuple[str, ...]] = {}
    for name in names:  # query comes before key, and key before value: `_BLOCK`
        ours = _PART.sub("attention.qkv.", name)
        parts[ours] = (*parts.get(ours, ()), name)
    return parts
