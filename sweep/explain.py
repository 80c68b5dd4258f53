"""Pydantic's findings as sentences for people."""

from __future__ import annotations

import types
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sweep.errors import did_you_mean

_LONGEST = 60
"""Characters of an offending value that are shown."""

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


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """The first finding as a sentence: the key, its value, what is allowed, the nearest name."""
    finding = min(error.errors(), key=_gravity)
    path = [str(part) for part in finding["loc"] if not _is_union_branch(part)]
    key = ".".join(path)
    kind, value = finding["type"], finding["input"]
    if kind == "extra_forbidden":
        return f"'{key}' is not a field{_dotted_name(path, finding['input'], model)}"
    if kind == "missing":
        return f"'{key}' is missing"
    if kind == "value_error":
        reason = str(finding["ctx"]["error"])
        return f"{key}: {reason}" if key else reason
    return f"'{key}' = {shown(value)} must be {_expectation(finding)}"


def shown(value: object) -> str:
    """A value as it may be printed: short, and with nothing that moves a cursor."""
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _gravity(finding: ErrorDetails) -> int:
    """A misspelt field explains a missing one, so it is told first."""
    return {"extra_forbidden": 0, "missing": 2}.get(finding["type"], 1)


def _is_union_branch(part: int | str) -> bool:
    return isinstance(part, str) and ("[" in part or part in {"int", "float", "str", "list"})


def _expectation(finding: ErrorDetails) -> str:
    kind, context = finding["type"], finding.get("ctx", {})
    if kind in _LIMITS:
        words, name = _LIMITS[kind]
        limit = context[name]
        return f"{words} {limit:g}" if isinstance(limit, float) else f"{words} {limit}"
    if kind == "literal_error":
        nearest = did_you_mean(str(finding["input"]), _choices(context["expected"]))
        return f"{context['expected']}{nearest}"
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    return finding["msg"].removeprefix("Input should be ")


def _choices(expected: str) -> list[str]:
    return [choice.strip("' ") for choice in expected.replace(" or ", ",").split(",")]


def _dotted_name(path: list[str], value: object, model: type[BaseModel]) -> str:
    """TOML takes the dot in `[interventions.decay-0.1]` for another level."""
    if len(path) > 2 and isinstance(value, dict):
        return f'; a name with a dot is written in quotes: [{path[0]}."{".".join(path[1:])}"]'
    return _nearest_field(path, model)


def _nearest_field(path: list[str], model: type[BaseModel]) -> str:
    *parents, name = path
    for parent in parents:
        found = _submodel(model, parent)
        if found is None:
            return ""
        model = found
    known = list(model.model_fields)
    prefix = ".".join([*parents, ""])
    nearest = did_you_mean(prefix + name, [prefix + field for field in known])
    return nearest or f"; those allowed are {', '.join(known)}"


def _submodel(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    field = model.model_fields.get(name)
    annotation: Any = field.annotation if field else model
    if get_origin(annotation) is dict:
        annotation = get_args(annotation)[1]
    if get_origin(annotation) in (types.UnionType, Literal):
        return None
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return annotation if is_model else None
