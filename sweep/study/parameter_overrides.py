"""`--override NAME=VALUE` for the parameters of a script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sweep.errors import did_you_mean
from sweep.study.mistakes import Mistake
from sweep.study.parameters_section import Parameter, Parameters, Value
from sweep.terminal.printable import shown

_PARAMETERS: TypeAdapter[dict[str, Parameter]] = TypeAdapter(Parameters)


def is_script(content: Mapping[str, Any]) -> bool:
    """True if a study trains a script."""
    return "trainer" in content


def wrong_parameters(content: Mapping[str, Any], overrides: Mapping[str, Any]) -> list[Mistake]:
    """Overrides of parameters that are not declared, and wrong values; none if a table is wrong."""
    known = _parameters(content)
    mistakes = []
    for key, value in overrides.items():
        name = _name(key)
        if known and name not in known:
            advice = did_you_mean(name, known) or f"; those are {', '.join(known)}"
            mistakes.append(Mistake((), f"--override {shown(key)}: not a parameter{advice}"))
        elif known:
            try:
                known[name].coerce(value)
            except ValueError as error:
                sentence = f"--override {key} = {shown(value)} must be {error}"
                mistakes.append(Mistake((), sentence))
    return mistakes


def override_parameters(
    content: Mapping[str, Any], overrides: Mapping[str, Any]
) -> Mapping[str, Any]:
    """A copy of a study's content with the defaults of some parameters set."""
    known = _parameters(content)
    if not known:
        return content
    changed = {
        _name(key): {
            "default": known[_name(key)].coerce(value),
            "choices": known[_name(key)].choices,
        }
        for key, value in overrides.items()
    }
    same = {
        name: {"default": each.default, "choices": each.choices} for name, each in known.items()
    }
    return {**content, "parameters": {**same, **changed}}


def idle_parameters(content: Mapping[str, Any], overrides: Mapping[str, Any]) -> list[Mistake]:
    """Overrides that change nothing."""
    known = _parameters(content)
    same: dict[str, Value] = {
        key: known[_name(key)].default
        for key, value in overrides.items()
        if _name(key) in known and known[_name(key)].coerce(value) == known[_name(key)].default
    }
    return [
        Mistake((), f"--override {key} changes nothing: the baseline has {shown(value)} already")
        for key, value in same.items()
    ]


def _name(key: str) -> str:
    return key.removeprefix("parameters.")


def _parameters(content: Mapping[str, Any]) -> dict[str, Parameter]:
    """The parameters of a study; empty if their table is wrong, which is another mistake."""
    try:
        return _PARAMETERS.validate_python(content.get("parameters", {}))
    except ValidationError:
        return {}
