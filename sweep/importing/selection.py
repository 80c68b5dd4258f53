"""Selection of rows by `--where`, in tables that have a row for each metric."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweep.errors import ResultsError, did_you_mean
from sweep.importing.cells import plain_name
from sweep.importing.fields import Field, bare_name, is_test_metric, is_test_split
from sweep.importing.questions import no_column
from sweep.metrics.names import words_of_name
from sweep.terminal.printable import shown, shown_first

if TYPE_CHECKING:
    import pandas as pd

METRIC_COLUMNS = frozenset(
    {"tag", "tags", "metric", "metrics", "metric_name", "key", "variable", "measure", "scalar"}
)
"""Columns with the name of the metric that a row is about, in lower case."""
VALUE_COLUMNS = frozenset({"value", "values", "metric_value", "val", "scalar_value"})
"""Columns with its value, in lower case."""
SPLIT_COLUMNS = frozenset(
    {"split", "evalsplit", "testsplit", "subset", "evalset", "testset", "evaldataset"}
    | {"metric", "metricname", "tag", "scalar"}
)
"""Columns that say what a loss was measured on, or which metric it is; words of their names."""
VALUES_LISTED = 12


@dataclass(frozen=True, kw_only=True)
class LongTable:
    """The columns of a table with a row for each metric."""

    metric: str
    value: str
    names: Sequence[str]
    """The metrics of the selected rows, in the order of the file."""


def select_rows(frame: pd.DataFrame, where: Sequence[str], source: str) -> pd.DataFrame:
    """Return the rows that have one of the values asked for in each column; their index is kept.

    Raises ResultsError for a column or a value that the file does not have.
    """
    wanted: dict[str, list[str]] = {}
    for word in where:
        column, value = _split(word, [str(name) for name in frame.columns], source)
        wanted.setdefault(column, []).append(value)
    for column, values in wanted.items():
        found = frame[column].astype("str").str.strip().map(plain_name)
        for value in values:
            if not (found == plain_name(value)).any():
                raise ResultsError(_no_such_value(frame[column], column, value, source))
        frame = frame[found.isin([plain_name(value) for value in values])]
    return frame


def find_long(frame: pd.DataFrame, asked: Mapping[Field, str]) -> LongTable | None:
    """Return the columns of a table with a row for each metric; None for any other table."""
    by_lower = {str(name).lower(): str(name) for name in reversed(frame.columns)}
    metric = next((by_lower[name] for name in by_lower if name in METRIC_COLUMNS), None)
    value = next((by_lower[name] for name in by_lower if name in VALUE_COLUMNS), None)
    if metric is None or value is None or metric in asked.values():
        return None
    if asked.get(Field.LOSS, value) != value:
        return None
    names = frame[metric].dropna().astype("str").str.strip().unique().tolist()
    return LongTable(metric=metric, value=value, names=names)


def ask_for_splits(
    frame: pd.DataFrame, taken: Collection[str], where: Sequence[str], source: str
) -> Iterator[str]:
    """Yield questions which split or metric is to be compared, where the rows have several.

    Columns that are `taken` for fields of a run, and those that `where` names, are not asked about.
    """
    for name in map(str, frame.columns):
        if "".join(words_of_name(bare_name(name))) not in SPLIT_COLUMNS or name in taken:
            continue
        values = frame[name].dropna().astype("str").str.strip().unique().tolist()
        if len(values) < 2 or any(word.startswith(f"{name}=") for word in where):
            continue
        every = " ".join(f"--where {quoted(f'{name}={value}')}" for value in values[:VALUES_LISTED])
        likely = next((value for value in values if is_test_split(value)), values[0])
        yield (
            f"{source} has losses of several kinds, by {shown(name)}: {shown_first(values, VALUES_LISTED)}; choose one "
            f"with --where {quoted(f'{name}={likely}')}, or take all with {every}"
        )


def ask_for_metric(long: LongTable, source: str) -> str:
    """Ask which of the metrics to compare."""
    likely = next((name for name in long.names if is_test_metric(name)), long.names[0])
    return (
        f"{source} has a row for each metric, which {shown(long.metric)} names: "
        f"{shown_first(long.names, VALUES_LISTED)}; choose one with --where {quoted(f'{long.metric}={likely}')}"
    )


def quoted(word: str) -> str:
    """Return a word as it has to be typed in a shell."""
    import shlex

    return shlex.quote(word)


def _split(word: str, present: Sequence[str], source: str) -> tuple[str, str]:
    """Split `COLUMN=VALUE` where COLUMN is one of the file. Raises ResultsError."""
    parts = word.split("=")
    for end in range(1, len(parts)):
        column = "=".join(parts[:end]).strip()
        if column in present:
            return column, "=".join(parts[end:]).strip()
    raise ResultsError(no_column(parts[0], present, source, f"--where {word}", VALUES_LISTED))


def _no_such_value(cells: pd.Series[Any], column: str, value: str, source: str) -> str:
    values = cells.dropna().astype("str").str.strip().unique().tolist()
    return (
        f"{source}: no row has {shown(value)} in {shown(column)}{did_you_mean(value, values)} "
        f"(there are: {shown_first(values, VALUES_LISTED)})"
    )
