"""`[parameters]` of a study file: the parameters of a script, with their types and defaults."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from model.config import Config
from sweep.errors import did_you_mean
from sweep.study.mistakes import InvalidStudyError, Mistake
from sweep.terminal.printable import shown

Value = bool | int | float | str | list[bool | int | float | str]
"""A value that a parameter may have."""
WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes"}
"""The values of each type, in words."""


def _check_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*(?:[.-]\w+)*", name, re.ASCII):
        raise ValueError(
            f"{shown(name)} is not the name of a parameter; names are letters, digits, '_', '-' and "
            "'.', and begin with a letter"
        )
    return name


ParameterName = Annotated[str, AfterValidator(_check_name)]


class Parameter(Config):
    """A parameter of a script."""

    default: Value = Field(union_mode="smart", examples=[0.1])
    """Its value in the baseline, which also gives its type."""
    choices: list[Value] | None = Field(default=None, min_length=1)
    """The values that it may have; None for any value of its type."""

    @model_validator(mode="after")
    def _default_is_allowed(self) -> Parameter:
        for choice in self.choices or []:
            if _coerced(choice, self.default) is None:
                raise ValueError(f"the choice {shown(choice)} is not {_type_words(self.default)}")
        if self.choices is not None and self.default not in self.choices:
            raise ValueError(f"the default {shown(self.default)} is not among the choices")
        return self

    def coerce(self, value: object) -> Value:
        """Return a value with this parameter's type: 1 as 1.0 for a number.

        Raises ValueError that continues "which must be ...".
        """
        made = _coerced(value, self.default)
        if made is None:
            raise ValueError(_type_words(self.default))
        if self.choices is not None and made not in self.choices:
            near = did_you_mean(str(made), [str(each) for each in self.choices])
            raise ValueError(" or ".join(map(shown, self.choices)) + near)
        return made


def _coerced(value: object, like: Value) -> Value | None:
    """Return the value with the type of another one; None if it has another type."""
    if isinstance(like, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if type(value) is type(like) else None


def _type_words(like: Value) -> str:
    return "a list" if isinstance(like, list) else WORDS[type(like)]


def _expand(content: object) -> object:
    """Write every parameter as a table with `default`; tables of others become dotted names."""
    return dict(_flat(content, "")) if isinstance(content, Mapping) else content


def _flat(table: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if not isinstance(value, Mapping):
            is_made = isinstance(value, Parameter)
            yield above + name, value if is_made else {"default": value}
        elif "default" in value or "choices" in value:
            yield above + name, value
        else:
            yield from _flat(value, f"{above}{name}.")


Parameters = Annotated[dict[ParameterName, Parameter], BeforeValidator(_expand)]


def set_parameters(
    parameters: Mapping[str, Parameter], changes: Mapping[str, Any]
) -> dict[str, Value]:
    """Return the values of all parameters: their defaults, with some changed.

    Raises InvalidStudyError with all unknown names and wrong values; its sentences continue one that
    begins with an arm.
    """
    values = {name: each.default for name, each in parameters.items()}
    mistakes = []
    for name, value in changes.items():
        if name not in parameters:
            advice = did_you_mean(name, parameters) or f"; those are {', '.join(parameters)}"
            sentence = f"sets {shown(name)}, which is not declared under [parameters]{advice}"
            mistakes.append(Mistake((name,), sentence))
            continue
        try:
            values[name] = parameters[name].coerce(value)
        except ValueError as error:
            sentence = f"sets '{name}' = {shown(value)}, which must be {error}"
            mistakes.append(Mistake((name,), sentence))
    if mistakes:
        raise InvalidStudyError(mistakes)
    return values
