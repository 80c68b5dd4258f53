"""Reading of tables as text: CSV and its relatives, with the separator that they have."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.errors import ResultsError
from sweep.importing.files.table import Table, check_size
from sweep.importing.files.text import Text
from sweep.terminal.printable import shown, shown_first

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST_ROW = 8 << 20
"""Largest row, bytes."""
SEPARATORS = (",", "\t", ";", "|")
"""Separators of the cells in a row; the first one that fits is used."""
_ROWS_LOOKED_AT = 5
"""Rows below the header from which the separator is told."""
_START = LONGEST_ROW
"""Bytes at the beginning of a file in which the header and these rows lie."""
_ROW_NAMES = "row"
"""Column of the names of rows, above which R writes nothing."""
_LISTED = 4
"""Columns that a remark lists."""
_NUMBER = rb'"?[+-]?[\d.,]+([eE][+-]?\d+)?"?'
_BLANKS_BEFORE_QUOTES = re.compile(rb'(?<=[,;|\t]) +(?="[^",;|\t\r\n])')
"""A quotation mark is only seen at the beginning of a cell. One within a cell is doubled."""
_DECIMAL_COMMA = r"^\s*[+-]?(\d+|\d*,\d+)([eE][+-]?\d+)?\s*$"
_THOUSANDS = r"^\s*[+-]?\d{1,3}(,\d{3})+\s*$"


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """How a table is written."""

    separator: str
    names: list[str]
    """Of the columns; one without a name is `""`."""
    header_bytes: int
    """Length of the header with its line end."""
    header_lines: int
    """Lines above the first row."""


def read_csv(text: Text, path: Path) -> Table:
    """Read a table. Empty cells are None. Raises ResultsError that names the line."""
    content = _without_comments(text.content)
    content, separator = _without_separator_line(content)
    content = content.lstrip(b"\r\n")
    lines_above = text.content.count(b"\n") - content.count(b"\n")
    content = _BLANKS_BEFORE_QUOTES.sub(b"", _with_tabs(content))
    layout = _layout(content, separator, path)
    comments: list[int] = []
    cells = _parse(content, layout, lines_above, path, comments)
    cells, remarks = _with_decimal_points(cells, layout.separator)
    return Table(cells=cells, remarks=(*text.remarks, *_about(comments, path), *remarks))


def _without_comments(content: bytes) -> bytes:
    """Leave out lines above the header that begin with `#`; the last may be the header itself.

    numpy.savetxt writes the header so. Further down, a row that begins with `#` is a row.
    """
    last = b""
    while content.startswith(b"#"):
        line, _, content = content.partition(b"\n")
        last = line.strip() or last
    names = last.lstrip(b"# ")
    first = content.split(b"\n", 1)[0]
    for separator in (each.encode() for each in SEPARATORS):
        count = names.count(separator)
        if count and count == first.count(separator) and _has_number(first, separator):
            return names + b"\n" + content
    return content


def _has_number(line: bytes, separator: bytes) -> bool:
    return any(re.fullmatch(_NUMBER, cell.strip()) for cell in line.split(separator))


def _without_separator_line(content: bytes) -> tuple[bytes, str | None]:
    """Leave out the line `sep=;`, which tells a spreadsheet the separator."""
    found = re.match(rb'"?sep=([,;|\t])"?\r?\n', content, re.IGNORECASE)
    return (content[found.end() :], found[1].decode()) if found else (content, None)


def _with_tabs(content: bytes) -> bytes:
    """Put tabs in place of blanks, if these separate as many words in each of the first rows."""
    lines = content[:_START].splitlines()[: _ROWS_LOOKED_AT + 1]
    if not lines or any(separator.encode() in lines[0] for separator in SEPARATORS):
        return content
    header, *below = [len(line.split()) for line in lines if line.strip()]
    if header < 2 or not below or len(set(below)) > 1 or below[0] - header not in {0, 1}:
        return content
    return b"\n".join(re.sub(rb" +", b"\t", line.strip()) for line in content.splitlines())


def _layout(content: bytes, separator: str | None, path: Path) -> _Layout:
    start = content[:_START].decode(errors="ignore")
    rows = {each: _first_rows(start, each) for each in ([separator] if separator else SEPARATORS)}
    best = max(rows, key=lambda each: _fit(rows[each]))
    names, *below = rows[best] or [[]]
    if not names:
        raise ResultsError(
            f"{path}: its first line is not a header; is a closing quotation mark missing?"
        )
    check_size(path, 0, len(names))
    if below and all(len(row) == len(names) + 1 for row in below):
        trailing = all(not row[-1].strip() for row in below)
        names = [*names, ""] if trailing else [_ROW_NAMES, *names]
    stream = io.StringIO(start, newline="")
    next(csv.reader(stream, delimiter=best))
    header = start[: stream.tell()].encode()
    return _Layout(
        separator=best,
        names=[name.strip() for name in names],
        header_bytes=len(header),
        header_lines=len(header.splitlines()),
    )


def _first_rows(start: str, separator: str) -> list[list[str]]:
    """Return the header and the first rows."""
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(start, newline=""), delimiter=separator)
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) > _ROWS_LOOKED_AT:
                break
    except csv.Error:  # a huge cell
        return rows
    return rows


def _fit(rows: list[list[str]]) -> tuple[bool, int]:
    """Return how well a separator fits: whether all rows have equally many cells, and how many."""
    width = len(rows[0]) if rows else 0
    longer = {len(row) - width for row in rows[1:]}
    return width > 1 and longer in (set(), {0}, {1}), width


def _about(comments: list[int], path: Path) -> list[str]:
    """Say which lines were left out."""
    lines = ", ".join(map(str, comments[:_LISTED])) + (", …" if len(comments) > _LISTED else "")
    return [f"{path}: comments were left out: line {lines}."] if comments else []


def _parse(
    content: bytes, layout: _Layout, lines_above: int, path: Path, comments: list[int]
) -> pa.Table:
    """Parse the rows. Adds the numbers of lines that are comments to `comments`."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    lines_above += layout.header_lines
    if not content[layout.header_bytes :].strip():
        return pa.table([pa.array([], pa.string())] * len(layout.names), names=layout.names)
    broken: list[Any] = []

    def handle(row: Any) -> str:  # noqa: ANN401  (pyarrow has no types)
        if str(row.text).startswith("#"):
            comments.append(row.number + lines_above)
            return "skip"
        broken.append(row)
        return "error"

    options = {
        "read_options": arrow_csv.ReadOptions(
            use_threads=False, block_size=LONGEST_ROW, column_names=layout.names
        ),
        "parse_options": arrow_csv.ParseOptions(
            delimiter=layout.separator, newlines_in_values=True, invalid_row_handler=handle
        ),
        "convert_options": arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(layout.names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    }
    rows = pa.BufferReader(pa.py_buffer(content).slice(layout.header_bytes))
    try:
        return arrow_csv.read_csv(rows, **options)
    except pa.ArrowInvalid as error:
        problem = _problem(error, broken, lines_above)
        raise ResultsError(f"{path}: {problem}") from error


def _problem(error: Exception, broken: list[Any], lines_above: int) -> str:
    if broken:
        row = broken[0]
        return (
            f"line {row.number + lines_above} has {row.actual_columns} cells and the header has "
            f"{row.expected_columns}: {shown(row.text)}"
        )
    if "straddling" in str(error):
        return f"a row is longer than {LONGEST_ROW >> 20} MiB; is a closing quotation mark missing?"
    return f"not a table of comma-separated values: {shown(str(error))}"


def _with_decimal_points(cells: pa.Table, separator: str) -> tuple[pa.Table, list[str]]:
    """Write numbers with a decimal point; returns the table and what was changed, as a sentence.

    A column is changed if all its cells are numbers and one has a comma. `1,234` is left as it is,
    and refused later, unless the separator or another cell shows that commas are decimal.
    """
    from pyarrow import compute

    if separator == ",":
        return cells, []
    changed = []
    for place, name in enumerate(cells.column_names):
        column = cells.column(place).drop_null()
        if not len(column) or not compute.any(compute.match_substring(column, ",")).as_py():
            continue
        thousands = compute.all(compute.match_substring_regex(column, _THOUSANDS)).as_py()
        if compute.all(compute.match_substring_regex(column, _DECIMAL_COMMA)).as_py() and (
            separator == ";" or not thousands
        ):
            points = compute.replace_substring(cells.column(place), ",", ".")
            cells = cells.set_column(place, name, points)
            changed.append(name)
    named = shown_first(changed, _LISTED)
    return cells, [f"Commas are decimal points in {named}."] if changed else []
