"""Choice of columns: the column of a file that holds each field, as asked for or by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweep.errors import ResultsError, did_you_mean
from sweep.importing.exports import split_run_names
from sweep.importing.fields import (
    RUN_LABELS,
    SEED_FIELDS,
    Field,
    find_test_losses,
    is_test_metric,
    recognise,
)
from sweep.terminal.printable import shown

if TYPE_CHECKING:
    import pandas as pd

_LISTED = 30
"""Column names that a message lists."""
PARENT = "parentrunid"
"""Ends the name of a column with the ids of parents: `tags.mlflow.parentRunId`."""
NO_COLUMN = "-"
"""In `--column status=-`: no column holds this field."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The columns of a file, by what they hold."""

    cells: Mapping[Field, pd.Series[Any]]
    """By field that the file has: its cells as written. All share one index, 0 to rows - 1."""
    further: pd.DataFrame
    """All other columns, under their own names."""
    names: Mapping[Field, str]
    """By field: the column that it was taken from."""

    def parents(self) -> pd.Series[Any] | None:
        """Return the ids of the runs' parents, as MLflow has them for nested runs."""
        for name in self.further.columns:
            if re.sub("[^a-z]", "", str(name).lower()).endswith(PARENT):
                return self.further[name]
        return None

    def further_with_seeds(self) -> pd.DataFrame:
        """Return the other columns and the seeds as written, for seeds that are not numbers."""
        name = self.names.get(Field.SEED, Field.SEED.value)
        return self.further.assign(**{name: self.cells[Field.SEED]})


def choose_columns(frame: pd.DataFrame, asked: Mapping[Field, str], source: str) -> Chosen:
    """Find arm, loss and the other fields among the columns of a file.

    `asked` maps fields to columns, as `--column` does. Raises ResultsError for a column that the
    file does not have, and for a file without an arm or a loss.
    """
    frame = frame.reset_index(drop=True)
    names = _names(asked, [str(name) for name in frame.columns], source)
    cells = {field: frame[column] for field, column in names.items()}
    taken = set(names.values())
    further = frame[[name for name in frame.columns if name not in taken]]
    if names[Field.ARM] in RUN_LABELS and not names.keys() & set(SEED_FIELDS):
        cells.update(split_run_names(cells[Field.ARM]))
    return Chosen(cells=cells, further=further, names=names)


def parse_columns(words: list[str]) -> dict[Field, str]:
    """Parse `["loss=test/loss"]` into a mapping of fields to columns. Raises ResultsError."""
    found: dict[Field, str] = {}
    fields = [field.value for field in Field]
    for word in words:
        field, equals, column = word.partition("=")
        if not equals or field not in fields:
            raise ResultsError(
                f"--column {shown(word)}: write FIELD=COLUMN with one of {', '.join(fields)}"
                f"{did_you_mean(field, fields)}"
            )
        if found.setdefault(Field(field), column) != column:
            raise ResultsError(f"--column names {field} twice; name it once")
    return found


def _names(asked: Mapping[Field, str], present: list[str], source: str) -> dict[Field, str]:
    """Return the column of each field. Raises ResultsError if arm or loss has none that will do."""
    _check_present(asked, present, source)
    names = {**dict(recognise(present)), **asked}
    for field in [field for field, column in asked.items() if column == NO_COLUMN]:
        if field in (Field.ARM, Field.LOSS):
            raise ResultsError(f"--column {field}=-: a run has to have this; name a column")
        del names[field]
    if Field.LOSS not in asked:
        _check_training_loss(names, present, source)
        if Field.LOSS not in names or not _has_arms(present):  # `loss` may be the training loss
            names.update(_test_loss(present, source))
    for field in (Field.ARM, Field.LOSS):
        if field not in names:
            raise ResultsError(_missing(field, present, source))
    return names


def _check_present(asked: Mapping[Field, str], present: list[str], source: str) -> None:
    for field, column in asked.items():
        if column not in (*present, NO_COLUMN):
            raise ResultsError(
                f"{source} has no column {shown(column)} for {field}"
                f"{did_you_mean(column, present)} (it has: {_listed(present)})"
            )


def _has_arms(present: Sequence[str]) -> bool:
    """True if a column is called `arm`: such a file was written for an import."""
    return any(name.lower() == Field.ARM for name in present)


def _check_training_loss(names: Mapping[Field, str], present: Sequence[str], source: str) -> None:
    """Raise ResultsError if `loss` stands beside a test loss: it may be the training loss."""
    loss = names.get(Field.LOSS)
    if loss is None or is_test_metric(loss) or not _has_arms(present):
        return
    others = [name for name in present if is_test_metric(name)]
    if others:
        raise ResultsError(
            f"{source} has {shown(loss)}, which may be the training loss, beside "
            f"{_listed(others)}; choose one with --column loss={others[0]} or --column loss={loss}"
        )


def _test_loss(present: list[str], source: str) -> dict[Field, str]:
    """Return the column of the test loss, if there is one. Raises ResultsError for several."""
    found = find_test_losses(present)
    if len(found) > 1:
        raise ResultsError(
            f"{source} has the losses {_listed(found)}; choose one with --column loss={found[0]}"
        )
    return {Field.LOSS: found[0]} if found else {}


def _missing(field: Field, present: list[str], source: str) -> str:
    near = did_you_mean(field, present)
    example = f"; name the column that holds it: --column {field}=COLUMN"
    return f"{source} has no column '{field}'{near or example} (it has: {_listed(present)})"


def _listed(present: Sequence[str]) -> str:
    names = [shown(name) for name in present[:_LISTED]]
    return ", ".join(names) + (", …" if len(present) > _LISTED else "")
