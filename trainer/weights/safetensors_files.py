"""Tensors in safetensors files: their place, shape and type, read without torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open

from trainer.errors import WeightsError

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
MAX_JSON_BYTES = 64_000_000
"""Maximum size, in bytes, of a JSON file that describes a model."""
BUFFER_BYTES = 2**20
"""Bytes of a tensor that are read at once."""


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

    @property
    def parts(self) -> tuple[StoredTensor]:
        """The tensor itself; see `JoinedTensor`."""
        return (self,)

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
class JoinedTensor:
    """Tensors that are stored apart and belong below one another, along their first dimension."""

    parts: tuple[StoredTensor, ...]

    @property
    def dtype(self) -> str:
        """The data type by its name in safetensors, or several."""
        return "+".join(dict.fromkeys(part.dtype for part in self.parts))

    @property
    def shape(self) -> tuple[int, ...]:
        return (sum(part.shape[0] for part in self.parts), *self.parts[0].shape[1:])

    def pieces(self) -> Iterator[bytes]:
        """Read its bytes, piece by piece."""
        for part in self.parts:
            yield from part.pieces()

    @property
    def is_zero(self) -> bool:
        """True if every byte is zero."""
        return all(part.is_zero for part in self.parts)


def join_parts(
    tensors: Mapping[str, StoredTensor], parts: Mapping[str, Sequence[str]]
) -> dict[str, StoredTensor | JoinedTensor]:
    """The tensors that `parts` lists: for each name, those of `tensors` that are its rows, in order."""
    found = {name: tuple(tensors[part] for part in names) for name, names in parts.items()}
    return {name: JoinedTensor(of) if len(of) > 1 else of[0] for name, of in found.items()}


def all_entries(folder: Path) -> dict[str, StoredTensor]:
    """The tensors in a folder's safetensors files. Raises WeightsError if it has no such file."""
    if (folder / WEIGHTS).exists():
        return dict(entries(folder / WEIGHTS))
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
    names = read_json(folder / INDEX).get("weight_map")
    if not isinstance(names, dict):
        raise WeightsError(f"{folder / INDEX} has no weight_map")
    found: dict[str, StoredTensor] = {}
    for name in sorted({str(name) for name in names.values()}):
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise WeightsError(
                f"{folder / INDEX} names {name[:60]!r}, which is not a file beside it"
            )
        found.update(entries(folder / name))
    return found


def entries(path: Path) -> Iterator[tuple[str, StoredTensor]]:
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


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises WeightsError if there is none."""
    if not path.is_file() or path.stat().st_size > MAX_JSON_BYTES:
        raise WeightsError(f"{path} is not a JSON file")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path} is not a JSON object")
    return content
