"""A folder of tensors and JSON with checksums, so that damage is detected.

    tensors.safetensors    the tensors
    checkpoint.json        the fields, the SHA-256 of the tensors' file and that of the JSON itself

There are no pickles: reading such a folder runs no code from it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from trainer.files import follow_umask, sync, write_whole

Tensors = dict[str, torch.Tensor]

TENSORS = "tensors.safetensors"
FIELDS = "checkpoint.json"
FORMAT = 1


def write_sealed(folder: Path, tensors: Tensors, fields: dict[str, Any]) -> None:
    """Create the folder; returns once all of it is on the disk.

    Raises OSError or SafetensorError if it cannot be written, ValueError or TypeError for fields
    that JSON cannot represent, such as NaN, a tuple or a key that is not text.
    """
    if json.loads(json.dumps(fields, allow_nan=False)) != fields:
        raise ValueError("JSON would change these fields: it has no tuples, and only text as keys")
    folder.mkdir()
    path = folder / TENSORS
    save_file(_saveable(tensors), path)
    follow_umask(path)  # safetensors makes files readable for their owner only
    sync(path)
    sealed = _seal({**fields, "format": FORMAT, "tensors_sha256": _sha256(path)})
    write_whole(folder / FIELDS, sealed)
    sync(folder)


def read_sealed(folder: Path) -> tuple[Tensors, dict[str, Any]]:
    """The tensors, on the CPU, and the fields.

    Raises ValueError, which says what is wrong, or OSError if anything is missing or changed.
    """
    fields = _unseal(_file(folder, FIELDS).read_bytes())
    if _sha256(_file(folder, TENSORS)) != fields.pop("tensors_sha256", None):
        raise ValueError(f"{TENSORS} is not as it was written, by its SHA-256")
    return _load(folder / TENSORS), fields


def _saveable(tensors: Tensors) -> Tensors:
    """The tensors on the CPU, contiguous; copied if they share memory, which safetensors refuses."""
    saveable: Tensors = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        memory = plain.untyped_storage().data_ptr()
        saveable[name] = plain.clone() if memory in seen else plain
        seen.add(memory)
    return saveable


def _load(path: Path) -> Tensors:
    """Load copies: safetensors returns maps of a file that will be removed."""
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            return {name: file.get_tensor(name).clone() for name in names}
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"{TENSORS} cannot be read as tensors") from error


def _file(folder: Path, name: str) -> Path:
    """The path of a file. Raises ValueError if it is missing, a folder, a pipe or a device."""
    path = folder / name
    if not path.is_file():
        there = folder.is_dir()
        raise ValueError(f"there is no file {name} in it" if there else "it is not a folder")
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _seal(fields: dict[str, Any]) -> bytes:
    """The only valid JSON of these fields, with the SHA-256 of all of them."""
    text = json.dumps(fields, sort_keys=True, allow_nan=False)
    sealed = {**fields, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    return (json.dumps(sealed, indent=1, sort_keys=True) + "\n").encode()


def _unseal(content: bytes) -> dict[str, Any]:
    """The fields without format and SHA-256. Raises ValueError unless `_seal` writes the same."""
    try:
        fields = dict(json.loads(content))
        as_sealed = _seal({key: fields[key] for key in fields if key != "sha256"})
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{FIELDS} is not the JSON of a checkpoint") from error
    if fields.pop("format", None) != FORMAT:
        raise ValueError(f"{FIELDS} is not of format {FORMAT}, the one that is read here")
    if as_sealed != content:
        raise ValueError(f"{FIELDS} is not as it was written, by its SHA-256")
    del fields["sha256"]
    return fields
