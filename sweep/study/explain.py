"""Turn pydantic's validation errors into sentences."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sweep.errors import did_you_mean
from sweep.study.field_names import is_union_at, model_at, suggest
from sweep.study.mistakes import Keys, Mistake
from sweep.study.other_names import OTHER_VALUES
from sweep.terminal.printable import shown

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number below 2^63",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "string_too_short": "text that is not empty",
}

_LIMITS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}


def explain(
    error: ValidationError, model: type[BaseModel], must: str = " must be "
) -> list[Mistake]:
    """Every error as a sentence: key, value, allowed values, nearest name, lines to add.

    A missing field is not reported if a misspelt one beside it means it. `must` is the text between a
    wrong value and the allowed ones.
    """
    by_place: dict[Keys, list[ErrorDetails]] = {}
    for finding in error.errors():  # several at one place are the branches of a union
        by_place.setdefault(_path(finding, model), []).append(finding)
    deeper = {keys[:depth] for keys in by_place for depth in range(1, len(keys))}
    told = [
        _mistake(keys, findings, model, must)
        for keys, findings in by_place.items()
        if keys not in deeper  # another branch of a union got further
    ]
    meant = {field for each in told for field in each.meant}
    return [each for each in told if not (each.paste and ".".join(each.keys) in meant)]


def printable_key(keys: Keys) -> str:
    """`section.field`, safe to print."""
    return ".".join(_printable(key) for key in keys)


def paste(keys: Keys, model: type[BaseModel]) -> tuple[str, ...]:
    """The line of a missing field, or those of a missing table, with an example of each field."""
    *table, name = keys
    found = _table_at(keys, model)
    if found is not None:
        required = [field for field, info in found.model_fields.items() if info.is_required()]
        return (
            _header(_named_example(keys, model)),
            *(_assignment(field, found) for field in required),
        )
    above = model_at(table, model)
    if above is None:
        return ()
    return (_assignment(name, above),)


def _table_at(keys: Keys, model: type[BaseModel]) -> type[BaseModel] | None:
    """The model of a table; None for a value that may be something else, such as a number."""
    return None if is_union_at(keys, model) else model_at(keys, model)


def _mistake(
    keys: Keys, findings: list[ErrorDetails], model: type[BaseModel], must: str
) -> Mistake:
    key = printable_key(keys)
    first = next((each for each in findings if each["type"] == "value_error"), findings[0])
    kind, value = first["type"], first["input"]
    if kind == "extra_forbidden":
        return _unknown(keys, value, model)
    if kind == "missing":
        table = f" to {_header(keys[:-1])}" if len(keys) > 1 else " above the first table"
        where = "" if _table_at(keys, model) else table
        return Mistake(keys, f"'{key}' is missing; add{where}:", paste(keys, model))
    if kind == "value_error":
        reason = str(first["ctx"]["error"])
        return Mistake(keys, f"{key}: {reason}" if key else reason)
    allowed = dict.fromkeys(_expectation(each) for each in findings)
    return Mistake(keys, f"'{key}' = {shown(value)}{must}{' or '.join(allowed)}")


def _printable(part: str) -> str:
    return shown(part)[1:].removesuffix("'").removesuffix('"')


def _path(finding: ErrorDetails, model: type[BaseModel]) -> Keys:
    """The keys and indices that lead to an error, without the labels that pydantic adds.

    It adds the branch of a union that it tried, and `[key]` if the key itself is wrong.
    """
    path: list[str] = []
    parts = iter(finding["loc"])
    for part in parts:
        if isinstance(part, str) and path and model_at(path, model) is None:
            continue
        path.append(str(part))
        if is_union_at(path, model):
            next(parts, None)
    is_key = len(path) > 1 and path[-1] == "[key]" and finding["type"] != "extra_forbidden"
    return tuple(path[:-1] if is_key else path)


def _expectation(finding: ErrorDetails) -> str:
    kind, context = finding["type"], finding.get("ctx", {})
    if kind in _LIMITS:
        words, name = _LIMITS[kind]
        limit = context[name]
        return f"{words} {limit:g}" if isinstance(limit, float) else f"{words} {limit}"
    if kind == "literal_error":
        return f"{context['expected']}{_nearest_choice(finding['input'], context)}"
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    if kind == "too_short":
        return f"at least {context['min_length']} long"
    return finding["msg"].removeprefix("Input should be ")


def _nearest_choice(value: object, context: Mapping[str, Any]) -> str:
    """Advice if another tool has a word for one of the choices, or one is misspelt."""
    choices = [word.strip("' ") for word in context["expected"].replace(" or ", ",").split(",")]
    meant = OTHER_VALUES.get(str(value))
    if meant in choices:
        return f"; did you mean {meant!r}?"
    return did_you_mean(str(value), choices)


def _unknown(keys: Keys, value: object, model: type[BaseModel]) -> Mistake:
    """An unknown field. TOML reads `[interventions.decay-0.1]` as two levels."""
    start = f"'{printable_key(keys)}' is not a field"
    if len(keys) > 2 and keys[0] in {"interventions", "stacks"} and isinstance(value, dict):
        found = model_at(keys[:2], model)
        advice = f'a name with a dot is written in quotes: [{keys[0]}."{printable_key(keys[1:])}"]'
        meant = [".".join([*keys[:2], field]) for field in (found.model_fields if found else ())]
        return Mistake(keys, f"{start}; {advice}", meant=tuple(meant))
    found_field = suggest(keys, model)
    advice = found_field.words() or _allowed(keys, model)
    return Mistake(keys, f"{start}{advice}", meant=found_field.fields)


def _allowed(keys: Keys, model: type[BaseModel]) -> str:
    found = model_at(keys[:-1], model)
    return "" if found is None else f"; those allowed are {', '.join(found.model_fields)}"


def _named_example(keys: Keys, model: type[BaseModel]) -> Keys:
    """The header of a missing table; a table of many gets the name of its example."""
    examples = model.model_fields[keys[0]].examples if len(keys) == 1 else None
    return (*keys, str(examples[0])) if examples else keys


def _header(table: Sequence[str]) -> str:
    bare = (key if re.fullmatch(r"[\w-]+", key, re.ASCII) else json.dumps(key) for key in table)
    return f"[{'.'.join(bare)}]"


def _assignment(field: str, model: type[BaseModel]) -> str:
    examples = model.model_fields[field].examples
    return f"{field} = {_toml(examples[0]) if examples else '...'}"


def _toml(value: object) -> str:
    """A value as TOML: what occurs in examples."""
    if isinstance(value, dict):
        inner = ", ".join(f'"{key}" = {_toml(each)}' for key, each in value.items())
        return f"{{ {inner} }}"
    return json.dumps(value)
