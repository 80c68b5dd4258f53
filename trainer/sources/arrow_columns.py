"""The column of text in a table of Arrow. Imports pyarrow, so import this only if needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from trainer.errors import CorpusError
from trainer.sources.nested_keys import ways_to_split
from trainer.sources.source import Text, is_for_testing
from trainer.sources.text_errors import a_list, an_object, no_column, repeated_column

_IS_TEXT = (
    *(pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
    *(pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view),
    pa.types.is_null,
)
"""Types that hold text. Writers without a type for text write bytes; a column of nulls has none."""
_IS_LIST = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list, pa.types.is_map)


def find_column(where: str, schema: Any, name: str) -> tuple[str, ...]:  # noqa: ANN401  (pyarrow has no types)
    """The path of the column of text: a column, or a field of objects such as `meta.text`.

    A column whose name has a dot comes before a field of that name. Raises CorpusError if there is
    none, or it does not hold text.
    """
    found = _find(where, schema, name)
    if found is None:
        raise no_column(where, name, list(_names(schema)))
    path, kind = found
    if pa.types.is_struct(kind):
        raise an_object(where, name, [f"{name}.{field.name}" for field in kind])
    if any(is_list(kind) for is_list in _IS_LIST):
        raise a_list(where, name)
    if not any(is_text(_values(kind)) for is_text in _IS_TEXT):
        raise CorpusError(
            f"{where}: its column {name!r} holds {kind}, not text; name the one with the text as "
            "data.text_column"
        )
    return path


def _find(where: str, fields: Any, name: str) -> tuple[tuple[str, ...], Any] | None:  # noqa: ANN401  (as above)
    """The path and the type of a column or field below some fields."""
    for head, rest in ways_to_split(name):
        indices = fields.get_all_field_indices(head)
        if len(indices) > 1:
            raise repeated_column(where, head)
        if not indices:
            continue
        kind = fields.field(indices[0]).type
        if not rest:
            return (head,), kind
        below = _find(where, kind, rest) if pa.types.is_struct(kind) else None
        if below is not None:
            return (head, *below[0]), below[1]
    return None


def _names(fields: Any, before: str = "") -> Iterator[str]:  # noqa: ANN401  (as above)
    """Names of all columns, and of the fields of objects with their path."""
    for field in fields:
        yield f"{before}{field.name}"
        if pa.types.is_struct(field.type):
            yield from _names(field.type, f"{before}{field.name}.")


def _values(kind: Any) -> Any:  # noqa: ANN401  (as above)
    """The type of the values of a dictionary or an extension type."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def pick(table: Any, path: Sequence[str]) -> Any:  # noqa: ANN401  (as above)
    """The column with a path from a table or batch, as bytes."""
    column = table.column(table.schema.get_field_index(path[0]))
    for name in path[1:]:
        column = pc.struct_field(column, name)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    is_small = pa.types.is_string(column.type) or pa.types.is_binary(column.type)
    return column.cast(pa.binary() if is_small else pa.large_binary())


def texts_of(column: Any, share: float, where: str) -> Iterator[Text]:  # noqa: ANN401  (as above)
    """The documents in a column of bytes, without empty rows.

    Raises CorpusError for one that is not UTF-8; `where` names the first row in the message.
    """
    for row, text in enumerate(column.to_pylist()):
        if not text:
            continue
        try:
            text.decode()
        except UnicodeDecodeError as error:
            raise CorpusError(
                f"{where}: the text {row} rows from there is not UTF-8 at its byte {error.start}"
            ) from error
        yield Text(text, is_for_testing(text, share))
