"""Weights to start from: a GPT-2 in Hugging Face's format, an exported model, a run directory,
nanoGPT's checkpoint, a model of Raschka's book.

This module reads the configuration, hashes the weights and checks them against a recipe, without
torch, except for nanoGPT's checkpoints.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from safetensors import SafetensorError

from model import huggingface
from model.config import ModelConfig
from model.huggingface import GPT2, PREFIX, Parameter
from model.size import parameter_shapes
from trainer.corpora.tokenizer import document_border
from trainer.errors import WeightsError
from trainer.recipe import Recipe, vocabulary_size
from trainer.rundir.directory import RunDirectory
from trainer.weights.exported import OTHER_FORMATS, before_export, check_layers, read_export
from trainer.weights.nanogpt import CHECKPOINT, NOTE, SUFFIXES, read_nanogpt
from trainer.weights.raschka import (
    DESCRIPTION,
    HUB_TYPE,
    qkv_parts,
    raschka_parameters,
    read_raschka,
)
from trainer.weights.safetensors_files import CONFIG, all_entries, entries, join_parts, read_json
from trainer.weights.tensor_names import named, plain_names

FLOAT_TYPES = {"F64", "F32", "F16", "BF16"}
"""Data types that weights may have, by their names in safetensors."""
MAY_DIFFER = {
    *("context", "dropout", "qkv_bias", "init_std", "tie_embeddings"),
    *("zero_init_projections", "expert_balance"),
}
"""Model fields that weights and recipe need not share: they have no effect on the weights, or
`check_fits` checks them one by one. All other fields, including new ones, must be equal."""


class Tensor(Protocol):
    """A tensor that is stored somewhere."""

    @property
    def dtype(self) -> str:
        """The data type by its name in safetensors, such as `F32`."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def is_zero(self) -> bool:
        """True if it holds zeros only."""

    def pieces(self) -> Iterator[bytes]:
        """Read its bytes, piece by piece."""


T = TypeVar("T", bound=Tensor)


@dataclass(frozen=True)
class Pretrained:
    """The content of weights; parameters have the names of `model.gpt`."""

    folder: Path
    """A folder, or a checkpoint of nanoGPT's."""
    form: Literal["gpt2", "export", "run", "nanogpt", "raschka"]
    config: ModelConfig
    """The configuration of the model. Of weights from elsewhere, a QKV bias of zeros counts as absent."""
    rows: int
    """Rows of the token embedding: as many as there are tokens, or more."""
    tensors: Mapping[str, Tensor]
    transposed: frozenset[str]
    """Names of the tensors that are stored as (inputs, outputs)."""
    tokenizer: str | None = None
    """`data.tokenizer` of the run; None for other weights."""
    border: int | None = None
    """The token that the attention of the run does not cross; None if it crosses all."""

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the weights; independent of the names of their files."""
        digest = hashlib.sha256()
        for name, stored in sorted(self.tensors.items()):
            layout = "transposed" if name in self.transposed else ""
            digest.update(f"{name} {stored.dtype} {list(stored.shape)} {layout}\n".encode())
            for piece in stored.pieces():
                digest.update(piece)
        return digest.hexdigest()

    def check_fits(self, recipe: Recipe) -> None:
        """Raise WeightsError, naming the field, if the weights do not fit the recipe's model.

        The model may have fewer positions, a QKV bias that the weights lack, its own output head
        where the weights tie theirs, and fewer tokens than the weights have rows for.
        """
        model, ours = recipe.model, self.config
        tokens = vocabulary_size(recipe.data.tokenizer)
        where = f"train.initial_weights = {str(self.folder)!r}:"
        for field in (name for name in ModelConfig.model_fields if name not in MAY_DIFFER):
            wanted, found = getattr(model, field), getattr(ours, field)
            if wanted != found:
                raise WeightsError(
                    f"{where} model.{field} = {wanted!r}, but the weights there have {found!r}; "
                    f"set model.{field} = {json.dumps('none' if found is None else found)}"
                )
        if model.context > ours.context:
            raise WeightsError(
                f"{where} model.context = {model.context}, but the weights there have "
                f"{ours.context} positions; set model.context = {ours.context} or less"
            )
        if not tokens <= self.rows <= most_rows(tokens):
            raise WeightsError(
                f"{where} data.tokenizer = {recipe.data.tokenizer!r} has {tokens} tokens, but the "
                f"weights there have rows for {self.rows}; use the tokenizer that they were "
                "trained with"
            )
        if ours.qkv_bias and not model.qkv_bias:
            raise WeightsError(
                f"{where} the weights there have a bias in their query, key and value "
                "projections; set model.qkv_bias = true"
            )
        if model.tie_embeddings and not ours.tie_embeddings:
            raise WeightsError(
                f"{where} the weights there have an output projection of their own; set "
                "model.tie_embeddings = false"
            )

    def notes(self, vocabulary: int) -> list[str]:
        """What a model with this vocabulary has otherwise than these weights, in sentences."""
        found = []
        if self.rows > vocabulary:
            found.append(
                f"{self.folder} has rows for {self.rows} tokens, and the tokenizer has {vocabulary}: "
                f"the last {self.rows - vocabulary} rows are left out"
            )
        if self.form == "nanogpt":
            found.append(f"{self.folder}: {NOTE}")
        return found


def most_rows(tokens: int) -> int:
    """The most rows that weights for some tokens have: 5% more, or up to a multiple of 128.

    Embeddings are padded to make matrix products faster, and tokens are added for padding.
    """
    return max(tokens * 105 // 100, -(-tokens // 128) * 128)


def open_pretrained(path: Path) -> Pretrained:
    """Open weights. Raises WeightsError if there are none, or if they contradict their description."""
    try:
        if path.is_file() and path.suffix in SUFFIXES:
            return _open_nanogpt(path)
        if (path / CONFIG).exists():
            return _open_described(path, read_json(path / CONFIG))
        if (path / "recipe.json").exists():
            return _open_run(RunDirectory(path))
        if (path / DESCRIPTION).exists():
            return _open_raschka(path / DESCRIPTION, read_json(path / DESCRIPTION))
        if (path / CHECKPOINT).exists():
            return _open_nanogpt(path / CHECKPOINT)
    except OSError as error:
        reason = error.strerror or error
        raise WeightsError(f"{error.filename or path} cannot be read: {reason}") from error
    except SafetensorError as error:
        raise WeightsError(f"{path}: its safetensors are damaged ({error})") from error
    raise WeightsError(
        f"{path} has no weights: neither a {CONFIG} of a GPT-2 in Hugging Face's format nor "
        f"the recipe.json of a run nor a {DESCRIPTION} as for a model of Raschka's book, nor is it a "
        f"{CHECKPOINT} of nanoGPT's"
    )


def _open_described(folder: Path, fields: Mapping[str, Any]) -> Pretrained:
    """The weights beside a `config.json` with these fields."""
    kind = str(fields.get("model_type"))
    if kind == HUB_TYPE:
        return _open_raschka(folder / CONFIG, fields.get("cfg"))
    if kind in OTHER_FORMATS:
        return _open_export(folder, fields)
    return _open_gpt2(folder, fields)


def _open_run(run: RunDirectory) -> Pretrained:
    recipe = run.read_request().recipe
    if not run.weights.exists():
        raise WeightsError(
            f"{run.path} has no weights: the run is not finished, or jobs.keep says to keep none, "
            "or `sweep gc` has deleted them"
        )
    vocabulary = vocabulary_size(recipe.data.tokenizer)
    wanted = {
        name: Parameter(name, shape)
        for name, shape in parameter_shapes(recipe.model, vocabulary).items()
    }
    tensors = _find(str(run.path), wanted, dict(entries(run.weights)))
    name, border = recipe.data.tokenizer, document_border(recipe.data)
    return Pretrained(run.path, "run", recipe.model, vocabulary, tensors, frozenset(), name, border)


def _stored_shape(parameter: Parameter) -> tuple[int, ...]:
    """The shape of a parameter that is stored as (outputs, inputs)."""
    return parameter.shape[::-1] if parameter.transposed else parameter.shape


def _open_gpt2(folder: Path, fields: Mapping[str, Any]) -> Pretrained:
    there = plain_names(all_entries(folder), str(folder))
    try:
        config, vocabulary = huggingface.from_fields(fields)
    except ValueError as error:
        raise WeightsError(f"{folder / CONFIG}: {error}") from error
    check_layers(config, there, f"{folder} has fewer tensors than {CONFIG} has layers")
    rows = _rows(there, vocabulary)
    wanted = huggingface.parameters(config, rows)
    if config.tie_embeddings:
        there.pop("lm_head.weight", None)  # a copy of the embedding
    tensors = _find(str(folder), wanted, there)
    transposed = frozenset(name for name, each in wanted.items() if each.transposed)
    config = before_export(fields, GPT2(), _without_zero_bias(config, tensors), tensors)
    return Pretrained(folder, "gpt2", config, rows, tensors, transposed)


def _open_export(folder: Path, fields: Mapping[str, Any]) -> Pretrained:
    found = read_export(folder, fields)
    tensors = join_parts(_find(str(folder), found.wanted, found.there), found.parts)
    own, config = OTHER_FORMATS[fields["model_type"]], _without_zero_bias(found.config, tensors)
    config = before_export(fields, own, config, tensors)
    return Pretrained(folder, "export", config, found.vocabulary, tensors, frozenset())


def _open_nanogpt(path: Path) -> Pretrained:
    found = read_nanogpt(path)
    check_layers(found.config, found.tensors, f"{path} has fewer tensors than layers")
    rows = _rows(found.tensors, 0)
    wanted = {
        name: Parameter(each.name, _stored_shape(each))
        for name, each in huggingface.parameters(found.config, rows).items()
        if found.biased or not name.endswith(".bias") or each.name in found.tensors
    }
    tensors = _find(str(path), wanted, found.tensors)
    config = _without_zero_bias(found.config, tensors)
    return Pretrained(path, "nanogpt", config, rows, tensors, frozenset())


def _open_raschka(description: Path, fields: object) -> Pretrained:
    folder, found = description.parent, read_raschka(description, fields)
    message = f"{folder} has fewer tensors than {description.name} has layers"
    check_layers(found.config, found.tensors, message)
    apart = _find(str(folder), raschka_parameters(found), found.tensors)
    tensors = join_parts(apart, qkv_parts(apart))
    config = _without_zero_bias(found.config, tensors)
    return Pretrained(folder, "raschka", config, found.vocabulary, tensors, frozenset())


def _rows(tensors: Mapping[str, Tensor], vocabulary: int) -> int:
    """Rows of the token embedding, which may be more than the configuration says."""
    embedding = tensors.get(f"{PREFIX}wte.weight")
    return embedding.shape[0] if embedding and embedding.shape else vocabulary


def _without_zero_bias(config: ModelConfig, tensors: Mapping[str, Tensor]) -> ModelConfig:
    biased = any(not tensors[name].is_zero for name in tensors if name.endswith("qkv.bias"))
    return config.model_copy(update={"qkv_bias": biased})


def _find(where: str, wanted: Mapping[str, Parameter], there: Mapping[str, T]) -> dict[str, T]:
    """The tensors of a model, by our names. Raises WeightsError for the first difference of a kind."""
    names = {each.name for each in wanted.values()}
    missing = [each.name for each in wanted.values() if each.name not in there]
    unexpected = sorted(there.keys() - names)
    differing = [
        f"{each.name} is {found.dtype} {list(found.shape)} and not floating-point numbers "
        f"{list(each.shape)}"
        for each in wanted.values()
        if (found := there.get(each.name))
        and (found.shape != each.shape or found.dtype not in FLOAT_TYPES)
    ]
    parts = {"missing": missing, "unexpected": unexpected, "different": differing}
    if any(parts.values()):
        words = "; ".join(f"{kind}: {named(found)}" for kind, found in parts.items() if found)
        raise WeightsError(f"{where} does not have the tensors of its model: {words}")
    return {name: there[each.name] for name, each in wanted.items()}
