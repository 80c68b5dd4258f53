"""Turn pydantic's validation errors into sentences."""

from __future__ import annotations

from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sweep.errors import did_you_mean
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


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """The first error as a sentence: key, value, allowed values, nearest name."""
    findings = error.errors()
    finding = min(findings, key=_gravity)
    path = _path(finding, model)
    key = ".".join(_printable(part) for part in path)
    kind, value = finding["type"], finding["input"]
    if kind == "extra_forbidden":
        return f"'{key}' is not a field{_dotted_name(path, value, model)}"
    if kind == "missing":
        return f"'{key}' is missing"
    if kind == "value_error":
        reason = str(finding["ctx"]["error"])
        return f"{key}: {reason}" if key else reason
    alternatives = [
        each for each in findings if _path(each, model) == path
    ]  # the branches of a union
    allowed = dict.fromkeys(_expectation(each) for each in alternatives)
    return f"'{key}' = {shown(value)} must be {' or '.join(allowed)}"


def _gravity(finding: ErrorDetails) -> int:
    """Rank of an error: a misspelt field comes first, because it explains a missing one."""
    return {"extra_forbidden": 0, "missing": 2}.get(finding["type"], 1)


def _printable(part: str) -> str:
    return shown(part)[1:].removesuffix("'").removesuffix('"')


def _path(finding: ErrorDetails, model: type[BaseModel]) -> list[str]:
    """The keys and indices that lead to an error, without the labels that pydantic adds.

    It adds the branch of a union that it tried, and `[key]` if the key itself is wrong.
    """
    path: list[str] = []
    for part in finding["loc"]:
        if isinstance(part, str) and path and _model_at(path, model) is None:
            continue
        path.append(str(part))
    is_key = len(path) > 1 and path[-1] == "[key]" and finding["type"] != "extra_forbidden"
    return path[:-1] if is_key else path


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
    if kind == "too_short":
        return f"at least {context['min_length']} long"
    return finding["msg"].removeprefix("Input should be ")


def _choices(expected: str) -> list[str]:
    return [choice.strip("' ") for choice in expected.replace(" or ", ",").split(",")]


def _dotted_name(path: list[str], value: object, model: type[BaseModel]) -> str:
    """Advice if a name holds a dot: TOML reads `[interventions.decay-0.1]` as two levels."""
    if len(path) > 2 and isinstance(value, dict):
        name = ".".join(_printable(part) for part in path[1:])
        return f'; a name with a dot is written in quotes: [{path[0]}."{name}"]'
    return _nearest_field(path, model)


def _nearest_field(path: list[str], model: type[BaseModel]) -> str:
    *parents, name = path
    found = _model_at(parents, model)
    if found is None:
        return ""
    known = list(found.model_fields)
    nearest = did_you_mean(name, known, prefix=".".join([*parents, ""]))
    return nearest or f"; those allowed are {', '.join(known)}"


def _model_at(path: list[str], model: type[BaseModel]) -> type[BaseModel] | None:
    """The model with the fields below `path`; None if the value there has no fields."""
    parts = iter(path)
    for name in parts:
        field = model.model_fields.get(name)
        annotation: Any = field.annotation if field else None
        if get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
            next(parts, None)  # a name chosen by the study
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return None
        model = annotation
    return model
