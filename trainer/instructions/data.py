"""Instruction data: a JSON list of objects with `instruction`, `input` and `output`.

Quick to import: does not import torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from trainer.errors import InstructionError
from trainer.instructions.settings import InstructionSettings
from trainer.words import counted

FIELDS = ("instruction", "input", "output")
MAX_BYTES = 2**30
"""Largest file that is read."""
MAX_KEY = 40
"""Characters of a key that a message shows."""
_EXAMPLE = '{"instruction": "...", "input": "", "output": "..."}'


class Item(NamedTuple):
    """An instruction with its reference answer."""

    instruction: str
    input: str
    """Further text that the instruction is about; often empty."""
    output: str


class Split(NamedTuple):
    """The items by their use, each part in the order of the file."""

    train: Sequence[Item]
    test: Sequence[Item]
    validation: Sequence[Item]


@dataclass(frozen=True)
class InstructionData:
    """The items of a file."""

    items: Sequence[Item]

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the items; independent of how the file is formatted."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def content(self) -> bytes:
        """The items as a JSON file, which is always the same for the same items."""
        listed = [item._asdict() for item in self.items]
        return json.dumps(listed, ensure_ascii=False, indent=1).encode() + b"\n"

    def split(self, settings: InstructionSettings) -> Split:
        """Split the items in the order of the file.

        Raises InstructionError if a part would be empty.
        """
        total = len(self.items)
        # The tiny number undoes rounding: 0.29 * 100 is 28.999999999999996.
        first = int(total * settings.train_share + 1e-9)
        second = first + int(total * settings.test_share + 1e-9)
        parts = Split(self.items[:first], self.items[first:second], self.items[second:])
        for name, part in parts._asdict().items():
            if not part:
                raise InstructionError(
                    f"{counted(total, 'item')} of instruction data leave none for {name}, with "
                    f"train_share = {settings.train_share:g} and test_share = "
                    f"{settings.test_share:g}; add items, or change these shares"
                )
        return parts


def read_instructions(path: Path) -> InstructionData:
    """Read a file of instruction data. Raises InstructionError with the first mistake in it."""
    try:
        content = json.loads(_read(path), object_pairs_hook=lambda pairs: _object(path, pairs))
    except OSError as error:
        reason = error.strerror or error
        raise InstructionError(f"{path} cannot be read ({reason}); name a JSON file") from error
    except (ValueError, RecursionError) as error:
        raise InstructionError(
            f"{path} is not JSON ({error}); write a list of objects such as {_EXAMPLE}"
        ) from error
    if not isinstance(content, list) or not content:
        raise InstructionError(f"{path} has no items; write a list of objects such as {_EXAMPLE}")
    return InstructionData([_item(path, n, each) for n, each in enumerate(content, 1)])


def _object(path: Path, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object of the file. Raises InstructionError if it has a key twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InstructionError(f"{path}: an object has {_short(twice)!r} twice; keep one of them")
    return found


def _short(key: str) -> str:
    """A key of the file for a sentence."""
    return key if len(key) <= MAX_KEY else f"{key[:MAX_KEY]}…"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read(path: Path) -> bytes:
    """The bytes of a file. Raises OSError, and InstructionError if there are too many."""
    size = path.stat().st_size  # 0 for a device, which may have no end
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1) if size <= MAX_BYTES else b""
    if max(size, len(content)) > MAX_BYTES:
        raise InstructionError(f"{path} is larger than {MAX_BYTES >> 30} GiB")
    return content


def _item(path: Path, number: int, content: Any) -> Item:  # noqa: ANN401  (any JSON)
    """Check one item. Raises InstructionError."""
    where = f"{path}: item {number}"
    if not isinstance(content, dict):
        raise InstructionError(f"{where} is not an object such as {_EXAMPLE}")
    for field in FIELDS:
        if field not in content:
            has = ", ".join(map(_short, sorted(content)[:8])) or "nothing"
            raise InstructionError(f"{where} has no {field!r} (it has: {has})")
        if not isinstance(content[field], str):
            raise InstructionError(
                f"{where}: {field!r} must be text, and is {_kind(content[field])}"
            )
        if not _is_unicode(content[field]):
            raise InstructionError(
                f"{where}: {field!r} has one half of a surrogate pair, which is no character; write "
                "both halves, or the character itself"
            )
    item = Item(*(content[field] for field in FIELDS))
    for field in ("instruction", "output"):
        if not getattr(item, field).strip():
            raise InstructionError(
                f"{where} has an empty {field!r}; fill it in, or remove the item"
            )
    return item


def _kind(value: Any) -> str:  # noqa: ANN401  (any JSON)
    names = {dict: "an object", list: "a list", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
