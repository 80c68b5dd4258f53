"""Reading of a results file, CSV, JSON Lines or Parquet, into a DataFrame of unparsed cells."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.errors import ResultsError, did_you_mean
from sweep.terminal.printable import shown

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

LONGEST_ROW = 8 << 20
"""Largest row of CSV, bytes."""
LONGEST_CELL = 100_000
"""Longest cell, characters."""
SEPARATORS = (",", "\t", ";")
"""Of the cells of a row of CSV."""
BATCH = 20_000
"""Lines of JSON held as Python objects at a time."""


def read_results(path: Path) -> pd.DataFrame:
    """Read the rows of a file. Cells are text, or numbers where a Parquet file has numbers.

    An empty or null cell is None. Nested JSON is flattened: `{"config": {"seed": 1}}` has the
    column `config.seed`. Raises ResultsError for a file that cannot be read or has no rows.
    """
    read = _reader(path)
    try:
        table = read(path)
    except FileNotFoundError as error:
        raise ResultsError(f"{path} does not exist; name a file of results") from error
    except OSError as error:
        raise ResultsError(f"{path} cannot be read: {_reason(error)}") from error
    table = table.rename_columns([name.strip() for name in table.column_names])
    if table.num_rows == 0:
        raise ResultsError(f"{path} has no rows; a file of results has one for each run")
    _check_names(path, table.column_names)
    _check_cells(path, table)
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _reader(path: Path) -> Callable[[Path], pa.Table]:
    if path.is_dir():
        raise ResultsError(f"{path} is a folder; name a file inside it")
    ending = path.suffix.lower()
    reader = READERS.get(ending)
    if reader is None:
        raise ResultsError(
            f"{path} ends in {shown(ending)}, which is not a known format; results are "
            f"imported from {', '.join(READERS)}{did_you_mean(ending, READERS)}"
        )
    return reader


def _csv(path: Path) -> pa.Table:
    from pyarrow import ArrowInvalid, csv, string

    header = _check_text(path)
    broken: list[Any] = []

    def stop(row: Any) -> str:  # noqa: ANN401  (pyarrow has no types)
        broken.append(row)
        return "error"

    names = _split(header, path)
    parse = csv.ParseOptions(
        delimiter=_delimiter(header, path),
        newlines_in_values=True,
        invalid_row_handler=stop,
    )
    try:
        return csv.read_csv(
            path,
            read_options=csv.ReadOptions(use_threads=False, block_size=LONGEST_ROW),
            parse_options=parse,
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except ArrowInvalid as error:
        raise ResultsError(f"{path}: {_csv_problem(error, broken)}") from error


def _csv_problem(error: Exception, broken: list[Any]) -> str:
    if broken:
        row = broken[0]
        return (
            f"line {row.number} has {row.actual_columns} cells and the header has "
            f"{row.expected_columns}: {shown(row.text)}"
        )
    if "straddling" in str(error):
        return f"a row is longer than {LONGEST_ROW >> 20} MiB; is a quotation mark left open?"
    return f"not a table of comma-separated values: {shown(str(error))}"


def _delimiter(header: str, path: Path) -> str:
    """Return the separator that splits the header into the most cells, comma before tab before `;`.

    In a .tsv file a tab goes before all others.
    """
    unquoted = re.sub(r'"[^"]*"', "", header)
    if path.suffix.lower() == ".tsv" and "\t" in unquoted:
        return "\t"
    return max(SEPARATORS, key=unquoted.count)


def _split(header: str, path: Path) -> list[str]:
    import csv

    return next(csv.reader([header], delimiter=_delimiter(header, path)), [])


def _json_lines(path: Path) -> pa.Table:
    import pyarrow as pa

    _check_text(path)
    batches = []
    rows: list[dict[str, str | None]] = []
    for row in _objects(path):
        rows.append(row)
        if len(rows) == BATCH:
            batches.append(_text_table(rows))
            rows = []
    batches.append(_text_table(rows))
    return pa.concat_tables(batches, promote_options="default")


def _text_table(rows: list[dict[str, str | None]]) -> pa.Table:
    import pyarrow as pa

    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table(
        {name: pa.array([row.get(name) for row in rows], pa.string()) for name in names}
    )


def _objects(path: Path) -> Iterator[dict[str, str | None]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ResultsError(
                    f"{path}: line {number} is not JSON: {shown(line.strip())}"
                ) from error
            if not isinstance(value, dict):
                raise ResultsError(
                    f"{path}: line {number} is {shown(value)}; every line is an object with "
                    "arm, loss and other fields of a run"
                )
            yield dict(_flat(value))


def _flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str | None]]:
    for key, below in value.items():
        if isinstance(below, dict):
            yield from _flat(below, f"{prefix}{key}.")
        elif below is None or isinstance(below, str):
            yield f"{prefix}{key}", below or None
        else:
            yield f"{prefix}{key}", json.dumps(below)


def _parquet(path: Path) -> pa.Table:
    from pyarrow import ArrowException, parquet

    try:
        return parquet.read_table(path)
    except ArrowException as error:
        raise ResultsError(f"{path} is not a Parquet file: {shown(str(error))}") from error


READERS: dict[str, Callable[[Path], Any]] = {
    ".csv": _csv,
    ".tsv": _csv,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
}
"""By suffix of the file: how it is read."""


def _check_text(path: Path) -> str:
    """Return the first line of a file. Raises ResultsError unless all of it is UTF-8 text."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    header, seen = "", 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            try:
                text = decoder.decode(block)
            except UnicodeDecodeError as error:
                place = seen + error.start
                raise ResultsError(f"{path} is not UTF-8 text (near byte {place})") from error
            header = header or text.lstrip("\r\n")
            seen += len(block)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise ResultsError(f"{path} is not UTF-8 text (near byte {seen})") from error
    if not header.strip():
        raise ResultsError(f"{path} is empty; a file of results has a row for each run")
    return header.splitlines()[0]


def _check_names(path: Path, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ResultsError(f"{path} has two columns {shown(twice[0])}; rename one of them")


def _check_cells(path: Path, table: pa.Table) -> None:
    """Raise ResultsError for a huge cell: most likely a quotation mark was left open."""
    import pyarrow as pa
    from pyarrow import compute

    for name, column in zip(table.column_names, table.columns, strict=True):
        if not pa.types.is_string(column.type):
            continue
        longest = compute.max(compute.utf8_length(column)).as_py() or 0
        if longest > LONGEST_CELL:
            raise ResultsError(
                f"{path}: a cell of column {shown(name)} has {longest} characters, and "
                f"{LONGEST_CELL} is the most; leave that column out"
            )


def _reason(error: OSError) -> str:
    return error.strerror or shown(str(error))
