"""Export a finished run as a folder for transformers; needs neither torch nor transformers."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from model.config import ModelConfig
from model.export_format import ExportFormat
from model.export_formats import format_of
from trainer.corpora.tokenizer import end_of_text_id
from trainer.errors import WeightsError
from trainer.files import follow_umask, sync
from trainer.rundir.directory import RunDirectory
from trainer.weights.pretrained import Pretrained, open_pretrained
from trainer.weights.safetensors_files import CONFIG, WEIGHTS
from trainer.weights.tokenizer_files import tokenizer_files

CARD = "README.md"


def export(run: RunDirectory, to: Path, card: str) -> None:
    """Write the model of `run`, its tokenizer and a card to the folder `to`, whole or not at all.

    Raises WeightsError if no format holds the model, the run kept no weights, or `to` is not empty
    or cannot be written; CorpusError if the tokenizer cannot be loaded.
    """
    source = open_pretrained(run.path)
    name = run.read_request().recipe.data.tokenizer
    end = end_of_text_id(name)
    export_format = find_format(source.config, run)
    check_is_free(to)
    files = {
        CONFIG: _json(export_format.fields(source.config, source.rows, end)),
        "generation_config.json": _json(_generation(end)),
        CARD: card.encode(),
        **{path.name: path.read_bytes() for path in export_format.code},
        **tokenizer_files(name, run.path, source.config.context),
    }
    try:
        _write(to, files, _tensors(run, source, export_format))
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise WeightsError(
            f"{to} cannot be written ({reason}); free some space, or name another folder"
        ) from error


def find_format(config: ModelConfig, run: RunDirectory) -> ExportFormat:
    """The format that holds the model of a run. Raises WeightsError if there is none."""
    try:
        return format_of(config)
    except ValueError as error:
        raise WeightsError(f"{run.path} cannot be exported: {error}") from error


def check_is_free(to: Path) -> None:
    """Raise WeightsError unless `to` does not exist, or is an empty folder."""
    if to.is_symlink() or (to.exists() and not to.is_dir()):
        raise WeightsError(f"{to} exists and is not a folder; name another")
    if to.exists() and any(to.iterdir()):
        raise WeightsError(f"{to} exists and is not empty; name another folder, or empty it")


def _json(value: Any) -> bytes:  # noqa: ANN401  (JSON)
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def _generation(end_of_text: int) -> dict[str, int]:
    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    return dict.fromkeys(names, end_of_text)


def _tensors(
    run: RunDirectory, source: Pretrained, export_format: ExportFormat
) -> dict[str, NDArray[Any]]:
    """The tensors of the export; those that the model does not have are zeros."""
    kept = load_file(run.weights)
    found = {}
    for name, each in export_format.tensors(source.config, source.rows).items():
        if each.name not in kept:
            found[name] = np.zeros(each.shape, dtype=np.float32)
            continue
        array = kept[each.name].T if each.transposed else kept[each.name]
        found[name] = np.ascontiguousarray(array[each.first : each.first + each.shape[0]])
    return found


def _write(to: Path, files: dict[str, bytes], parameters: dict[str, NDArray[Any]]) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{to.name}-", dir=to.parent))
    try:
        for name, content in files.items():
            (aside / name).write_bytes(content)
        save_file(parameters, aside / WEIGHTS, metadata={"format": "pt"})
        for path in aside.iterdir():
            follow_umask(path)
            sync(path)
        follow_umask(aside)
        sync(aside)
        aside.rename(to)
        sync(to.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
