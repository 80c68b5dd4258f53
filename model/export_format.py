"""The formats that a model is exported in: where their tensors come from. Does not import torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pydantic import ValidationError

from model.config import ModelConfig


class Source(NamedTuple):
    """Where a tensor of an export comes from."""

    name: str
    """The parameter in `model.gpt`. The tensor is zero if the model does not have it."""
    shape: tuple[int, ...]
    """The shape of the tensor in the export."""
    transposed: bool = False
    """True if it is the transpose of the parameter."""
    first: int = 0
    """Its first row in the parameter, of which it may be a part."""


class ExportFormat(Protocol):
    """A class of transformers, or modelling code of our own."""

    @property
    def model_type(self) -> str:
        """What `config.json` calls it."""

    @property
    def class_name(self) -> str:
        """The class that transformers makes of it."""

    @property
    def code(self) -> tuple[Path, ...]:
        """Files of modelling code that the export needs."""

    def misfit(self, config: ModelConfig) -> str | None:
        """The first field that it cannot hold, with the reason; None if it holds the model."""

    def fields(self, config: ModelConfig, vocabulary: int, end_of_text: int) -> dict[str, Any]:
        """The content of `config.json`; `end_of_text` is the id of that token."""

    def read(self, fields: Mapping[str, Any]) -> ModelConfig:
        """The model that a `config.json` describes; its QKV bias may be zeros.

        Raises ValueError, with the reason, for a variant that this network cannot compute.
        """

    def tensors(self, config: ModelConfig, vocabulary: int) -> dict[str, Source]:
        """The tensors by their names in the export."""


ANY = object()
"""In place of a value: the format can hold every value."""


@dataclass(frozen=True, kw_only=True)
class Export:
    """How a format holds one field of the model's configuration."""

    keys: tuple[str, ...] = ()
    """Keys of `config.json` that hold the field's value."""
    only: object = ANY
    """The only value that the format can hold."""
    reason: str = ""
    """Why the format can hold no other value."""


def misfit(config: ModelConfig, exports: Mapping[str, Export], format_name: str) -> str | None:
    """The first field that `exports` cannot hold, with the reason; None if there is none."""
    for name, value in config:
        export = exports.get(name)
        if export is None:
            return f"model.{name} = {value!r}: {format_name} has no such field"
        if export.only is not ANY and export.only != value:
            return f"model.{name} = {value!r}: {export.reason}"
    return None


def held(config: ModelConfig, exports: Mapping[str, Export]) -> dict[str, Any]:
    """The keys of `config.json` that hold a field's value as it is."""
    values = dict(config)
    return {key: values[name] for name, export in exports.items() for key in export.keys}


def common_fields(class_name: str, vocabulary: int, end_of_text: int) -> dict[str, Any]:
    """What `config.json` has in every format."""
    return {
        "architectures": [class_name],
        "vocab_size": vocabulary,
        "bos_token_id": end_of_text,
        "eos_token_id": end_of_text,
        "dtype": "float32",
        "torch_dtype": "float32",  # as transformers before version 5 calls it
    }


RECORDED = "gpt_sweep_model"
"""The key of `config.json` with the model of the run that was exported: not every class of transformers
holds all of its fields."""
OF_FILES = frozenset(common_fields("", 1, 0)) | {"auto_map", "tokenizer_class"}
"""Keys of `config.json` that are not about `ModelConfig`; the vocabulary is that of the weights."""


def recorded(config: ModelConfig) -> dict[str, Any]:
    """What `config.json` has in every format for `read_recorded`."""
    return {RECORDED: config.model_dump(mode="json", exclude_defaults=True)}


def read_recorded(fields: Mapping[str, Any], export_format: ExportFormat) -> ModelConfig | None:
    """The model of the run that was exported; None if `config.json` lacks it, or was changed since."""
    if not isinstance(fields.get(RECORDED), dict):
        return None
    try:
        config = make_config(fields[RECORDED])
    except ValueError:
        return None
    if export_format.misfit(config) is not None:
        return None
    described = export_format.fields(config, 1, 0).items()
    same = all(fields.get(key, value) == value for key, value in described if key not in OF_FILES)
    return config if same else None


def values_of(fields: Mapping[str, Any], exports: Mapping[str, Export]) -> dict[str, Any]:
    """The fields of `ModelConfig` that are in a `config.json`; those left out have its defaults."""
    return {
        name: fields[export.keys[0]]
        for name, export in exports.items()
        if export.keys and export.keys[0] in fields
    }


def make_config(values: Mapping[str, Any]) -> ModelConfig:
    """A configuration. Raises ValueError with the first reason against it."""
    try:
        return ModelConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = f"{first['loc'][0]}: " if first["loc"] else ""
        raise ValueError(where + first["msg"].removeprefix("Value error, ")) from error
