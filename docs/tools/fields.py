"""Every field of a study file, from the pydantic models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from docs.tools.markdown import either, table
from sweep.study.file import Study

SCHEMA = Study.model_json_schema()
ROOT = "the file"
"""Name of the part with the fields that stand in no table."""
LARGEST = 2**20
"""Larger upper bounds only catch typing errors, and are not shown."""
COMPARISONS = {
    "minimum": "at least",
    "ge": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "le": "at most",
    "exclusiveMaximum": "below",
    "lt": "below",
}
"""Words for a bound, by its key in the schema."""
WORDS = {
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "string": "text",
    "object": "table",
}
"""Words for a type of JSON Schema."""
Schema = Mapping[str, Any]


def sections() -> dict[str, Schema]:
    """The models of a study's tables by their name in the file: `design`, `baseline.model`."""
    found: dict[str, Schema] = {ROOT: SCHEMA}
    _add_sections(SCHEMA, "", found)
    return found


def _add_sections(schema: Schema, above: str, found: dict[str, Schema]) -> None:
    for name, field in schema["properties"].items():
        for model, is_named in _models(field):
            path = f"{above}{name}.NAME" if is_named else f"{above}{name}"
            found[path] = model
            _add_sections(model, f"{path}.", found)


def _models(field: Schema) -> list[tuple[Schema, bool]]:
    """The models that a field may hold, each true if the field is a table of them by name."""
    if "$ref" in field:
        return [(_referred(field), False)]
    if isinstance(field.get("additionalProperties"), dict):
        return [(model, True) for model, _ in _models(field["additionalProperties"])]
    return [found for each in field.get("anyOf", ()) for found in _models(each)]


def _referred(field: Schema) -> Schema:
    model: Schema = SCHEMA["$defs"][field["$ref"].rpartition("/")[2]]
    return model


def fields_of_section(name: str) -> str:
    """A table of the fields of one of a study's tables. Raises KeyError for an unknown one."""
    model = sections()[name]
    has_prefix = name != ROOT and "NAME" not in name
    prefix = f"{name.removeprefix('baseline.')}." if has_prefix else ""
    rows = [
        (
            f"`{prefix}{field}`",
            takes(content),
            _default(model, field),
            content.get("description", ""),
        )
        for field, content in model["properties"].items()
        if name != ROOT or not is_section(content)
    ]
    return table(("field", "value", "default", "meaning"), rows)


def is_section(field: Schema) -> bool:
    """True if a field holds nothing but tables that are sections of their own."""
    kinds = [each for each in field.get("anyOf", [field]) if each.get("type") != "null"]
    return all(_models(each) for each in kinds)


def takes(field: Schema) -> str:
    """The values that a field takes, in words: `whole number, at least 1`."""
    if "anyOf" in field:
        kinds = [takes(each) for each in field["anyOf"] if each.get("type") != "null"]
        unneeded = {"whole number"} if "number" in kinds else set[str]()
        return ", or ".join(kind for kind in dict.fromkeys(kinds) if kind not in unneeded)
    if "enum" in field:
        return either(field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if "$ref" in field:
        return "table"
    if field.get("type") == "array":
        return f"list of {takes(field['items'])}"
    return " ".join([WORDS.get(field.get("type", ""), "any value"), *_bounds(field)])


def _bounds(field: Schema) -> list[str]:
    """The bounds of a number: `at least 0, at most 1`."""
    bounds = [
        f"{words} {field[key]:g}"
        for key, words in COMPARISONS.items()
        if key in field and abs(field[key]) < LARGEST
    ]
    return [", ".join(bounds)] if bounds else []


def _default(model: Schema, field: str) -> str:
    if field in model.get("required", ()):
        return "required"
    value = model["properties"][field].get("default")
    if value is None or value in ({}, ""):
        return "none"
    return f"`{json.dumps(value)}`"
