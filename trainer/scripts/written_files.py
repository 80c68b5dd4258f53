"""Read the metrics that a script writes into files: `$SWEEP_RESULT`, other JSON files, JSON lines."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainer.errors import RunDirectoryError
from trainer.scripts.curves import Curves
from trainer.scripts.output import MetricReader, number_of
from trainer.scripts.request import MetricSource

READ_BYTES = 2**20
MAX_JSON_BYTES = 100_000_000
"""Largest JSON file that is read."""
State = tuple[int, int, int] | None
"""Identity, size and time of a file, by which a change is seen; None if there is no file."""


def state_of(path: Path) -> State:
    """The state of a file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object; empty if there is no file. Raises RunDirectoryError if it is none."""
    try:
        _check_is_readable(path)
        fields = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RunDirectoryError(f"{path} cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise RunDirectoryError(
            f"{path.name} is no JSON ({error}); the script must write one object of numbers, such "
            'as {"val_loss": 3.2}'
        ) from error
    if not isinstance(fields, dict):
        raise RunDirectoryError(
            f"{path.name} holds {_kind(fields)}, but must be an object of numbers by metric, such as "
            '{"val_loss": 3.2}'
        )
    return fields


def is_regular(path: Path) -> bool:
    """True for a file that has an end: no folder, no FIFO that waits, no device."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _check_is_readable(path: Path) -> None:
    """Raise RunDirectoryError for what is no file or too large, FileNotFoundError for nothing."""
    size = path.stat().st_size
    if not is_regular(path):
        raise RunDirectoryError(
            f"{path.name} is no file, but must be one, with an object of numbers"
        )
    if size > MAX_JSON_BYTES:
        raise RunDirectoryError(
            f"{path.name} has {size:,} bytes, and at most {MAX_JSON_BYTES:,} are read; the script must "
            "write one object of numbers"
        )


def checked_number(value: Any, name: str, file: str) -> float:  # noqa: ANN401  (any JSON value)
    """The number of a metric. Raises RunDirectoryError if it is none."""
    number = number_of(value)
    if number is None:
        raise RunDirectoryError(
            f"{file} has {json.dumps(value)[:80]} for {name}, which is {_kind(value)}; it must be a "
            "number, written without quotation marks"
        )
    return number


def value_at(fields: dict[str, Any], path: str) -> Any:  # noqa: ANN401  (any JSON value)
    """The value at a dotted path; None if there is none. A key may have dots itself."""
    if path in fields:
        return fields[path]
    for at in (index for index, character in enumerate(path) if character == "."):
        below = fields.get(path[:at])
        if isinstance(below, dict):
            found = value_at(below, path[at + 1 :])
            if found is not None:
                return found
    return None


class JsonFile:
    """A JSON file of a script. It counts only if this attempt has written it."""

    def __init__(self, folder: Path, source: str) -> None:
        self.name, _, self.path = source.partition(":")
        self._file = folder / self.name
        self._before = state_of(self._file)

    def read(self, metric: str) -> float | None:
        """The number in it; None if there is none. Raises RunDirectoryError if it is no number."""
        if state_of(self._file) == self._before:
            return None
        value = value_at(read_object(self._file), self.path or metric)
        return None if value is None else checked_number(value, metric, self.name)


class GrowingFile:
    """A file of JSON lines that a script appends to."""

    def __init__(self, path: Path, metrics: dict[str, MetricSource], curves: Curves) -> None:
        self._path = path
        self._at = path.stat().st_size if path.exists() else 0  # an earlier attempt wrote these
        only_json = {name: source for name, source in metrics.items() if source.regex is None}
        self._reader = MetricReader(only_json, curves)

    def read(self) -> bool:
        """Read what was added; False if that is nothing."""
        grown = False
        for block in self._blocks():
            self._reader.read(block)
            grown = True
        return grown

    def close(self) -> None:
        """Read the last line, if nothing ends it."""
        self.read()
        self._reader.close()

    def _blocks(self) -> Iterator[bytes]:
        if not is_regular(self._path):
            return
        try:
            with self._path.open("rb") as file:
                if file.seek(0, os.SEEK_END) < self._at:  # begun afresh
                    self._at = 0
                file.seek(self._at)
                while block := file.read(READ_BYTES):
                    self._at += len(block)
                    yield block
        except OSError:
            return


def _kind(value: Any) -> str:  # noqa: ANN401  (any JSON value)
    kinds = {str: "a text", list: "a list", dict: "an object", bool: "true or false"}
    return kinds.get(type(value), "null" if value is None else "a number")
