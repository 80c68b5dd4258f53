"""Reading of exports in tests: what is understood of a file, without storing it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sweep.importing.columns import Chosen, choose_columns
from sweep.importing.fields import Field
from sweep.importing.files.logs import parse_pattern
from sweep.importing.reading import read_results, source_of
from sweep.importing.rules import Reading


class Reader:
    """Writes files into a folder and reads them as `sweep import` does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.remarks: list[str] = []
        """Of the last file that was read."""

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def choose(
        self, *named: Path, columns: Mapping[str, str] | None = None, regex: str | None = None
    ) -> Chosen:
        """Read files; returns the columns that are understood."""
        asked = {Field(field): column for field, column in (columns or {}).items()}
        export = read_results(named, parse_pattern(regex), asked)
        self.remarks = list(export.remarks)
        reading = Reading(source=source_of(named))
        chosen = choose_columns(export.frame, {**export.columns, **asked}, reading)
        reading.questions.check()
        return chosen

    def __call__(self, *named: Path, **options: Any) -> list[tuple[str | None, ...]]:  # noqa: ANN401  (as choose)
        """Read files; returns arm, seed and loss of each row, as text."""
        cells = self.choose(*named, **options).cells
        fields = [Field.ARM, Field.SEED, Field.LOSS]
        columns = [cells[field] if field in cells else pd.Series(None) for field in fields]
        rows = range(len(cells[Field.ARM]))
        return [tuple(_text(column.get(row)) for column in columns) for row in rows]


def _text(cell: object) -> str | None:
    return None if pd.isna(cell) else str(cell).strip()  # type: ignore[call-overload]  (any cell)
