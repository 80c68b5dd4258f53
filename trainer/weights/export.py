"""Export a finished run as a folder for transformers; needs neither torch nor transformers."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from model.config import ModelConfig
from model.export_format import ExportFormat, recorded
from model.export_formats import format_of
from trainer.corpora.tokenizer import end_of_text_id
from trainer.errors import WeightsError
from trainer.files import follow_umask, sync
from trainer.rundir.directory import RunDirectory
from trainer.weights.pretrained import Pretrained, open_pretrained
from trainer.weights.safetensors_files import CONFIG, WEIGHTS
from trainer.weights.tokenizer_files import tokenizer_files

CARD = "README.md"


class _Content(NamedTuple):
    """What the folder of an exported model has."""

    files: dict[str, bytes]
    tensors: dict[str, NDArray[Any]]


def export(run: RunDirectory, to: Path, card: str) -> None:
    """Write the model of `run`, its tokenizer and a card to the folder `to`, whole or not at all.

    Raises WeightsError if no format holds the model, the run kept no weights, or `to` is not empty
    or cannot be written; CorpusError if the tokenizer cannot be loaded.
    """
    content = _content(run, card)
    with _new_folder(to) as aside:
        _fill(aside, content)


def export_all(runs: Mapping[str, tuple[RunDirectory, str]], to: Path) -> None:
    """Write models, by the names of their folders in `to`, with their cards: all or none.

    Raises as `export` does.
    """
    with _new_folder(to) as aside:
        for name, (run, card) in runs.items():
            content = _content(run, card)
            (aside / name).mkdir()
            _fill(aside / name, content)


def _content(run: RunDirectory, card: str) -> _Content:
    source = open_pretrained(run.path)
    name = run.read_request().recipe.data.tokenizer
    end = end_of_text_id(name)
    export_format = find_format(source.config, run)
    fields = export_format.fields(source.config, source.rows, end)
    files = {
        CONFIG: _json({**fields, **recorded(source.config)}),
        "generation_config.json": _json(_generation(end)),
        CARD: card.encode(),
        **{path.name: path.read_bytes() for path in export_format.code},
        **tokenizer_files(name, run.path, source.config.context),
    }
    return _Content(files, _tensors(run, source, export_format))


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


@contextmanager
def _new_folder(to: Path) -> Iterator[Path]:
    """Yield a folder that becomes `to` once it is filled, and is removed after an error.

    Raises WeightsError if `to` is not free or cannot be written.
    """
    check_is_free(to)
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{to.name}-", dir=to.parent))
        try:
            yield aside
            _finish(aside)
            aside.rename(to)
            sync(to.parent)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise WeightsError(
            f"{to} cannot be written ({reason}); free some space, or name another folder"
        ) from error


def _fill(folder: Path, content: _Content) -> None:
    for name, file in content.files.items():
        (folder / name).write_bytes(file)
    save_file(content.tensors, folder / WEIGHTS, metadata={"format": "pt"})
    for path in folder.iterdir():
        _finish(path)
    _finish(folder)


def _finish(path: Path) -> None:
    follow_umask(path)
    sync(path)
