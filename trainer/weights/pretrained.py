"""A folder of weights: a GPT-2 in Hugging Face's format, or a run directory.

This module reads the configuration, hashes the weights and checks them against a recipe, without
torch. It reads only safetensors: the older format is a pickle, which can run any code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from model import huggingface
from model.config import ModelConfig
from model.huggingface import PREFIX, Parameter
from trainer.errors import WeightsError
from trainer.recipe import Recipe, vocabulary_size
from trainer.rundir.directory import RunDirectory

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
MAX_JSON_BYTES = 64_000_000
"""Maximum size, in bytes, of a JSON file that describes a model."""
FLOAT_TYPES = {"F64", "F32", "F16", "BF16"}
"""Data types that weights may have, by their names in safetensors."""
BUFFER_BYTES = 2**20
"""Bytes of a tensor that are read at once."""
MAY_DIFFER = {"context", "dropout", "qkv_bias", "init_std", "tie_embeddings"}
"""Model fields that weights and recipe need not share: they have no effect on the weights, or
`check_fits` checks them one by one. All other fields, including new ones, must be equal."""


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a safetensors file."""

    file: Path
    name: str
    dtype: str
    """The data type by its name in safetensors, such as `F32`."""
    shape: tuple[int, ...]
    start: int
    """Offset of its first byte in the file."""
    size: int
    """Number of bytes."""

    def pieces(self) -> Iterator[bytes]:
        """Read its bytes, piece by piece."""
        with self.file.open("rb") as file:
            file.seek(self.start)
            left = self.size
            while left and (piece := file.read(min(left, BUFFER_BYTES))):
                left -= len(piece)
                yield piece

    @property
    def is_zero(self) -> bool:
        """True if every byte is zero."""
        return not any(piece.strip(b"\0") for piece in self.pieces())


@dataclass(frozen=True)
class Pretrained:
    """The content of a folder of weights; parameters have the names of `model.gpt`."""

    folder: Path
    form: Literal["gpt2", "run"]
    config: ModelConfig
    """The configuration of the model. A QKV bias that is all zero counts as absent."""
    vocabulary: int
    tensors: Mapping[str, StoredTensor]
    transposed: frozenset[str]
    """Names of the tensors that are stored as (inputs, outputs)."""
    tokenizer: str | None = None
    """`data.tokenizer` of the run; None for a GPT-2."""

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

        The model may have fewer positions, a QKV bias that the weights lack, and its own output
        head where the weights tie theirs: none of that changes what it computes.
        """
        model, ours = recipe.model, self.config
        tokens = vocabulary_size(recipe.data.tokenizer)
        where = f"train.initial_weights = {str(self.folder)!r}:"
        for field in (name for name in ModelConfig.model_fields if name not in MAY_DIFFER):
            wanted, found = getattr(model, field), getattr(ours, field)
            if wanted != found:
                raise WeightsError(
                    f"{where} model.{field} = {wanted!r}, but the weights there have {found!r}; "
                    f"set model.{field} = {json.dumps(found)}"
                )
        if model.context > ours.context:
            raise WeightsError(
                f"{where} model.context = {model.context}, but the weights there have "
                f"{ours.context} positions; set model.context = {ours.context} or less"
            )
        if tokens != self.vocabulary:
            raise WeightsError(
                f"{where} data.tokenizer = {recipe.data.tokenizer!r} has {tokens} tokens, but the "
                f"weights there are for {self.vocabulary}; use the tokenizer that they were "
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


def open_pretrained(folder: Path) -> Pretrained:
    """Open a folder of weights. Raises WeightsError if it has none, or if they contradict CONFIG."""
    try:
        if (folder / CONFIG).exists():
            return _open_gpt2(folder)
        if (folder / "recipe.json").exists():
            return _open_run(RunDirectory(folder))
    except OSError as error:
        reason = error.strerror or error
        raise WeightsError(f"{error.filename or folder} cannot be read: {reason}") from error
    except SafetensorError as error:
        raise WeightsError(f"{folder}: its safetensors are damaged ({error})") from error
    raise WeightsError(
        f"{folder} has no weights: neither a {CONFIG} of a GPT-2 in Hugging Face's format nor "
        "the recipe.json of a run"
    )


def _open_run(run: RunDirectory) -> Pretrained:
    recipe = run.read_request().recipe
    if not run.weights.exists():
        raise WeightsError(
            f"{run.path} has no weights: the run is not finished, or jobs.keep says to keep none, "
            "or `sweep gc` has deleted them"
        )
    vocabulary = vocabulary_size(recipe.data.tokenizer)
    kept = huggingface.parameters(recipe.model, vocabulary)
    wanted = {
        name: Parameter(name, each.shape[::-1] if each.transposed else each.shape, transposed=False)
        for name, each in kept.items()
        if not _is_absent(name, recipe.model)
    }
    tensors = _find(run.path, wanted, dict(_entries(run.weights)))
    name = recipe.data.tokenizer
    return Pretrained(run.path, "run", recipe.model, vocabulary, tensors, frozenset(), name)


def _is_absent(name: str, config: ModelConfig) -> bool:
    """True if our model lacks this parameter of GPT-2."""
    without_bias = not config.qkv_bias and name.endswith("qkv.bias")
    return without_bias or (config.norm == "rms" and name.endswith("norm.bias"))


def _open_gpt2(folder: Path) -> Pretrained:
    entries = {
        (name if name.startswith((PREFIX, "lm_head.")) else PREFIX + name): stored
        for name, stored in _all_entries(folder).items()
    }
    try:
        config, vocabulary = huggingface.from_fields(_read_json(folder / CONFIG))
    except ValueError as error:
        raise WeightsError(f"{folder / CONFIG}: {error}") from error
    if config.layers > len(entries):  # a mistyped number would give a huge list below
        raise WeightsError(f"{folder} has fewer tensors than {CONFIG} has layers")
    wanted = huggingface.parameters(config, vocabulary)
    tensors = _find(folder, wanted, entries)
    biased = any(not tensors[n].is_zero for n in tensors if n.endswith("qkv.bias"))
    config = config.model_copy(update={"qkv_bias": biased})
    transposed = frozenset(name for name, each in wanted.items() if each.transposed)
    return Pretrained(folder, "gpt2", config, vocabulary, tensors, transposed)


def _find(
    folder: Path, wanted: Mapping[str, Parameter], entries: Mapping[str, StoredTensor]
) -> dict[str, StoredTensor]:
    """The tensors of a model, by our names. Raises WeightsError if one is missing or does not fit."""
    for each in wanted.values():
        found = entries.get(each.name)
        if found is None:
            raise WeightsError(f"{folder} lacks the tensor {each.name} of its model")
        if found.shape != each.shape or found.dtype not in FLOAT_TYPES:
            raise WeightsError(
                f"{folder}: the tensor {each.name} is {found.dtype} {list(found.shape)}, but its "
                f"model needs floating-point numbers {list(each.shape)}"
            )
    return {name: entries[each.name] for name, each in wanted.items()}


def _all_entries(folder: Path) -> dict[str, StoredTensor]:
    """The tensors in a folder's safetensors files. Raises WeightsError if it has no such file."""
    if (folder / WEIGHTS).exists():
        return dict(_entries(folder / WEIGHTS))
    if (folder / INDEX).exists():
        return _indexed_entries(folder)
    pickles = sorted(path.name for path in folder.glob("*.bin"))
    if pickles:
        raise WeightsError(
            f"{folder} has its weights in {pickles[0]}, a pickle, which can run any code and is "
            f"never loaded; save them as {WEIGHTS}"
        )
    raise WeightsError(f"{folder} has a {CONFIG} but no {WEIGHTS}")


def _indexed_entries(folder: Path) -> dict[str, StoredTensor]:
    """The tensors of several safetensors files, which an index lists."""
    names = _read_json(folder / INDEX).get("weight_map")
    if not isinstance(names, dict):
        raise WeightsError(f"{folder / INDEX} has no weight_map")
    found: dict[str, StoredTensor] = {}
    for name in sorted({str(name) for name in names.values()}):
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise WeightsError(
                f"{folder / INDEX} names {name[:60]!r}, which is not a file beside it"
            )
        found.update(_entries(folder / name))
    return found


def _entries(path: Path) -> Iterator[tuple[str, StoredTensor]]:
    """The tensors of a safetensors file. Raises SafetensorError if it is damaged."""
    if not path.is_file():  # reading a named pipe would block
        raise WeightsError(f"{path} is not a file")
    with safe_open(path, framework="numpy"):
        pass  # checks the header against the file's size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    for name, each in header.items():
        if name != "__metadata__":
            begin, end = each["data_offsets"]
            place = (8 + length + begin, end - begin)
            yield name, StoredTensor(path, name, each["dtype"], tuple(each["shape"]), *place)


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file() or path.stat().st_size > MAX_JSON_BYTES:
        raise WeightsError(f"{path} is not a JSON file")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path} is not a JSON object")
    return content
