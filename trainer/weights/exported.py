"""Read back the exports of `sweep export`: Llamas, those with their own code, and what each was before."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from model.config import ModelConfig
from model.export_format import ExportFormat, read_recorded
from model.export_formats import FORMATS
from model.huggingface import Parameter
from model.size import parameter_shapes
from trainer.errors import WeightsError
from trainer.weights.safetensors_files import CONFIG, StoredTensor, all_entries

OTHER_FORMATS: Mapping[str, ExportFormat] = {
    each.model_type: each for each in FORMATS if each.model_type != "gpt2"
}
"""All formats but GPT-2's, by the `model_type` in `config.json`."""
HEAD = "lm_head.weight"


class Zeros(Protocol):
    """A tensor that may hold zeros only."""

    @property
    def is_zero(self) -> bool: ...


class Exported(NamedTuple):
    """The content of an export."""

    config: ModelConfig
    vocabulary: int
    wanted: dict[str, Parameter]
    """The tensors that belong to the model, by their names in the export."""
    there: dict[str, StoredTensor]
    """The tensors that there are, by the same names."""
    parts: dict[str, tuple[str, ...]]
    """For each parameter by its name in `model.gpt`: the tensors that are its rows, in order."""


def read_export(folder: Path, fields: Mapping[str, Any]) -> Exported:
    """Read the `config.json` and the tensors' names of an export.

    Raises WeightsError, with the reason, for a variant that this network cannot compute.
    """
    export_format, there = OTHER_FORMATS[fields["model_type"]], all_entries(folder)
    vocabulary = fields.get("vocab_size")
    try:
        config = export_format.read(fields)
    except ValueError as error:
        raise WeightsError(f"{folder / CONFIG}: {error}") from error
    if type(vocabulary) is not int or vocabulary < 1:
        raise WeightsError(f"{folder / CONFIG}: vocab_size is {vocabulary!r}, and not a number")
    check_layers(config, there, f"{folder} has fewer tensors than {CONFIG} has layers")
    sources = export_format.tensors(config, vocabulary)
    if config.tie_embeddings:
        there.pop(HEAD, None)  # a copy of the embedding
    parts: dict[str, tuple[str, ...]] = {}
    for name, source in sorted(sources.items(), key=lambda item: item[1].first):
        parts[source.name] = (*parts.get(source.name, ()), name)
    wanted = {name: Parameter(name, each.shape) for name, each in sources.items()}
    return Exported(config, vocabulary, wanted, there, parts)


def before_export(
    fields: Mapping[str, Any],
    export_format: ExportFormat,
    config: ModelConfig,
    tensors: Mapping[str, Zeros],
) -> ModelConfig:
    """The model of the run that was exported; `config`, which its class has now, if it is another one.

    Tensors that the run's model lacks were exported as zeros. They are no longer, if the model was
    trained further in its class: then it is another one.
    """
    before = read_recorded(fields, export_format)
    if before is None:
        return config
    added = tensors.keys() - parameter_shapes(before, 1).keys()
    return before if all(tensors[name].is_zero for name in added) else config


def check_layers(config: ModelConfig, tensors: Collection[str], message: str) -> None:
    """Raise WeightsError with this message if there are fewer tensors than layers.

    A mistyped number of layers would give a huge list of parameters.
    """
    if config.layers > len(tensors):
        raise WeightsError(message)
