"""Cells of a column as typed values: names of arms, seeds, numbers.

The index of a column is the row of the file, counted from 0. Functions raise ResultsError that
names the row, counted from 1 below the header, and the value.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sweep.errors import ResultsError
from sweep.importing.fields import Field
from sweep.importing.rules import Reading
from sweep.store.schema import LONGEST_ARM_NAME
from sweep.terminal.printable import shown

if TYPE_CHECKING:
    import pandas as pd

_EMPTY_WORDS = ("", "na", "n/a", "null", "none", "-", "--", "#n/a", "<na>", "nil")
"""Cells that hold no number, in lower case."""
_NUMBER = re.compile(
    r"(?<![\w.+-])[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?(?![\w.]|[+-]\d)", re.IGNORECASE | re.ASCII
)
"""A number that stands alone in a name: not a part of `v1.10`, `1.2.3` or `2024-01-02`."""
MAX_NUMBER = 25
"""Characters of a number in a name that is compared by its value."""
_SEPARATED = re.compile(r"[+-]?\d+([,_' .]\d+)+")
"""`1,234.5`, `1'234`, `1_000`, `3,14`."""
_WHOLE_NUMBER = r"\d{1,18}"
"""A seed that fits into 64 bits."""


def read_arms(column: pd.Series[Any], source: str) -> pd.Series[Any]:
    """Return the names of arms without surrounding space and with control characters escaped.

    The quote that our own CSV reports put before a name that looks like a formula is removed.
    """
    text = column.astype("str").str.strip().str.replace(r"^'(?=\s*[=+@＝＋－＠-])", "", regex=True)
    blank = column.isna() | (text == "")
    if blank.any():
        raise ResultsError(f"{source}: row {_first(blank) + 1} names no arm")
    long = text.str.len() > LONGEST_ARM_NAME
    if long.any():
        row = _first(long)
        raise ResultsError(
            f"{source}: row {row + 1} has an arm of {len(text[row])} characters, "
            f"{shown(text[row])}; at most {LONGEST_ARM_NAME} are allowed"
        )
    return text.map(
        {name: name if name.isprintable() else repr(name)[1:-1] for name in text.unique()}
    )


def unite_numbers(
    names: pd.Series[Any], known: Sequence[str] = ()
) -> tuple[pd.Series[Any], Mapping[str, str]]:
    """Give arms with the same numbers one name, the first one: `lr=1e-3` and `lr=0.001`.

    A `known` name, from an earlier import, goes before a new one. Returns the names, and a mapping
    from each other spelling to the name that replaced it.
    """
    first = {plain_name(name): name for name in reversed(known)}
    united = {}
    for name in names.unique():
        kept = first.setdefault(plain_name(name), name)
        if kept != name:
            united[name] = kept
    return (names.replace(united) if united else names), united


def plain_name(name: str) -> str:
    """Return a name with its numbers in one form: `lr=1e-3` and `lr=0.001` have the same."""
    return _NUMBER.sub(_plain_number, name)


def _plain_number(found: re.Match[str]) -> str:
    """Return a number in one form; one with many digits, such as an id, is returned unchanged."""
    text = found[0]
    try:
        return text if len(text) > MAX_NUMBER else str(Decimal(text).normalize())
    except ArithmeticError:  # the exponent is too large
        return text


def seed_labels(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return seeds as text. `42.0`, which pandas makes of 42 beside an empty cell, becomes `42`."""
    text = column.astype("str").where(column.notna(), "").str.strip()
    return text.str.replace(r"^([+-]?\d+)\.0+$", r"\1", regex=True)


def whole_numbers(labels: pd.Series[Any]) -> pd.Series[Any]:
    """Return labels as Int64; all are NA if one of them is not a whole number."""
    given = labels.dropna()
    if given.str.fullmatch(_WHOLE_NUMBER).all():
        return given.astype("int64").astype("Int64").reindex(labels.index)
    return no_numbers(labels.index)


def seed_numbers(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return seeds as int64: themselves if all are whole numbers, else a hash of each text."""
    labels = seed_labels(column)
    numbers = whole_numbers(labels)
    if numbers.notna().all():
        return numbers.astype("int64")
    return labels.map(lambda label: zlib.crc32(label.encode())).astype("int64")


def no_numbers(index: pd.Index[Any]) -> pd.Series[Any]:
    """Return a column of NA, as Int64."""
    import pandas as pd

    return pd.Series(pd.NA, index=index, dtype="Int64")


def read_stream_seeds(column: pd.Series[Any], field: Field, source: str) -> pd.Series[Any]:
    """Return the seeds of one random stream as int64, as `seed_numbers` does.

    Raises ResultsError for an empty cell.
    """
    labels = seed_labels(column)
    empty = labels == ""
    if empty.any():
        row = _first(empty)
        raise ResultsError(
            f"{source}: row {row + 1} has no {field}; give every run one, or leave the column out "
            f"with --column {field}=-"
        )
    return seed_numbers(column)


def read_numbers(column: pd.Series[Any], field: Field, reading: Reading) -> pd.Series[Any]:
    """Return a column as correctly rounded float64; NaN where a cell is empty or not a number.

    Asks about the first cell that is not a number.
    """
    import pandas as pd

    if _is_numeric(column):
        return column.astype("float64")
    values, wrong = [], []
    for row, cell in zip(column.index, column.tolist(), strict=True):
        try:
            values.append(_number(cell))
        except (TypeError, ValueError):
            values.append(math.nan)
            wrong.append((row + 1, cell))
    if wrong:
        reading.questions.ask(_no_number(wrong, field, reading.source))
    return pd.Series(values, index=column.index, dtype="float64")


def _no_number(wrong: Sequence[tuple[int, object]], field: Field, source: str) -> str:
    row, cell = wrong[0]
    rest = len(wrong) - 1
    more = f" (and {rest} more row{'s' if rest > 1 else ''} like it)" if rest else ""
    return f"{source}: row {row}: {field} is {shown(cell)}, which is not a number{more}{_form(str(cell))}"


def _form(cell: str) -> str:
    """Say how to write a number that is not understood."""
    if cell.strip().endswith("%"):
        return "; write it without the percent sign, in all rows"
    if _SEPARATED.fullmatch(cell.strip()):
        return "; write it with a decimal point and without separators between thousands"
    return "; leave it empty if there is none, or name another column with --column FIELD=COLUMN"


def is_empty(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return True for cells that hold no number, as opposed to `nan`."""
    empty = column.isna()
    if _is_numeric(column):
        return empty
    return empty | column.astype("str").str.strip().str.lower().isin(_EMPTY_WORDS)


def _first(flags: pd.Series[Any]) -> int:
    """Return the index of the first True."""
    return int(flags.index[int(flags.argmax())])


def _is_numeric(column: pd.Series[Any]) -> bool:
    from pandas.api import types

    return types.is_numeric_dtype(column) and not types.is_bool_dtype(column)


def _number(cell: Any) -> float:  # noqa: ANN401  (any cell of a file)
    """Parse a number. Raises ValueError or TypeError.

    `float` alone would also accept `1_000` and the digits of every script.
    """
    if isinstance(cell, str):
        word = cell.strip()
        if word.lower() in _EMPTY_WORDS:
            return math.nan
        if "_" in word or not word.isascii():
            raise ValueError(cell)
        return float(word)
    if isinstance(cell, bool):
        raise TypeError(cell)
    return math.nan if cell is None else float(cell)
