"""An export that was recognised: its table, and what its columns mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sweep.importing.fields import Field

if TYPE_CHECKING:
    import pandas as pd

FILE = "file"
"""The column with the name of each run's file."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command says about the columns of a file."""

    columns: Mapping[Field, str]
    """Columns by field, as `--column` names them."""
    source: str
    """The name of the file in messages."""


@dataclass(frozen=True, kw_only=True)
class Export:
    """A table with a row per run or step, and the columns that hold the fields of a run."""

    frame: pd.DataFrame
    tool: str = ""
    """Whose export it is, such as `an export of Optuna`; empty for a table of no known tool."""
    columns: Mapping[Field, str] = field(default_factory=dict)
    """Columns that are taken for fields unless the command names others."""
    settings: Sequence[str] = ()
    """Columns with the settings of runs, of which arms can be made."""
    remarks: Sequence[str] = ()
    """What was noticed, in sentences."""


def varying(frame: pd.DataFrame, names: Iterable[str]) -> list[str]:
    """Return the columns that differ between rows, without those of a seed."""
    return [
        name
        for name in names
        if not name.lower().endswith("seed") and len(set(frame[name].astype("str"))) > 1
    ]


def present(frame: pd.DataFrame, fields: Mapping[Field, str]) -> dict[Field, str]:
    """Return those of the fields whose columns the table has."""
    return {field: column for field, column in fields.items() if column in frame}
