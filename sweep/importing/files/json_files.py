"""Reading of JSON: one document, or one object per line."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sweep.errors import ResultsError
from sweep.importing.files.records import Records, find_records
from sweep.importing.files.table import Record, Table, table_of
from sweep.importing.files.text import Text
from sweep.terminal.printable import shown


def read_json(text: Text, path: Path) -> Table:
    """Read a JSON document, or JSON Lines. Nested objects become columns with dotted names.

    An empty text or null is None. Raises ResultsError that names the line.
    """
    records = None if _has_lines(text.content) else _document(text.content, path)
    if records is None:
        return Table(cells=table_of(_lines(text.content, path), path), remarks=text.remarks)
    rows = (_checked(value, path, f"record {n}") for n, value in enumerate(records.values, 1))
    return Table(cells=table_of(rows, path), one_run=records.one_run, remarks=text.remarks)


def _has_lines(content: bytes) -> bool:
    """True if the first line is an object and not all of the file."""
    line, _, below = content.lstrip().partition(b"\n")
    if not line.startswith(b"{") or not below.strip():
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _document(content: bytes, path: Path) -> Records:
    try:
        value = json.loads(content)
    except RecursionError as error:
        raise ResultsError(f"{path} is nested too deeply to be results") from error
    except json.JSONDecodeError as error:
        lines = error.doc.rstrip().splitlines()
        end = "; the file is cut off" if error.lineno >= len(lines) else ""
        line = lines[error.lineno - 1 :][:1] or [""]
        raise ResultsError(
            f"{path}: line {error.lineno} is not JSON: {shown(line[0].strip())}{end}"
        ) from error
    except ValueError as error:  # a number of thousands of digits
        raise ResultsError(f"{path} is not JSON: {shown(str(error))}") from error
    return find_records(value, path)


def _lines(content: bytes, path: Path) -> Iterator[Record]:
    for number, line in enumerate(io.BytesIO(content), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            text = line.decode(errors="replace").strip()
            raise ResultsError(f"{path}: line {number} is not JSON: {shown(text)}") from error
        yield _checked(value, path, f"line {number}")


def _checked(value: Any, path: Path, place: str) -> Record:  # noqa: ANN401  (any JSON)
    if not isinstance(value, dict):
        raise ResultsError(
            f"{path}: {place} is {shown(value)}; it must be an object with arm, loss and other "
            "fields of a run"
        )
    try:
        return dict(_flat(value))
    except RecursionError as error:
        raise ResultsError(f"{path}: {place} is nested too deeply to be results") from error


def _flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str | None]]:
    if value.keys() == {"desc", "value"}:  # a setting in W&B's config.json
        yield prefix.removesuffix("."), _cell(value["value"])
        return
    for key, below in value.items():
        if isinstance(below, dict):
            yield from _flat(below, f"{prefix}{key}.")
        else:
            yield _encodable(f"{prefix}{key}"), _cell(below)


def _cell(value: Any) -> str | None:  # noqa: ANN401  (any JSON)
    if value is None or isinstance(value, str):
        return _encodable(value) if value else None
    return json.dumps(value)


def _encodable(text: str) -> str:
    r"""Return a text without halves of characters, such as `"\ud800"`, which UTF-8 does not have."""
    return text if text.isascii() else text.encode(errors="replace").decode()
