"""Values of a command as parameters of a study: their types, and as TOML."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

Value = bool | int | float | str
"""A value that a parameter can have."""
_INT = re.compile(r"-?(0|[1-9]\d{0,17})")
_FLOAT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def value_of(text: str, kind: type | None = None) -> Value:
    """The value that a word of a command means; `kind` is its type, if the script tells.

    A command gets `True` for true in a study file, so that the words `true` and `false` stay text.
    """
    if text in {"True", "False"} and kind is not str:
        return text == "True"
    if kind is str:
        return text
    if _INT.fullmatch(text) and text != "-0":
        return float(text) if kind is float else int(text)
    if _FLOAT.fullmatch(text) and not _INT.fullmatch(text):
        return float(text) if abs(float(text)) < float("inf") else text
    return text


def toml(value: object) -> str:
    """A value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key(str(name))} = {toml(each)}" for name, each in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(toml(each) for each in value)}]"
    return quoted(value) if isinstance(value, str) else repr(value)


def quoted(text: str) -> str:
    """A text as a TOML string: literal if it has backslashes, because it may be an expression."""
    if "\\" in text and text.isprintable() and "'''" not in f"{text}'":
        quote = "'''" if "'" in text else "'"
        return f"{quote}{text}{quote}"
    # JSON escapes as TOML does, except for DEL and for pairs of surrogates.
    escaped = json.dumps(text, ensure_ascii=not text.isprintable())
    return escaped if "\\ud" not in escaped else json.dumps(text, ensure_ascii=False)


def key(name: str) -> str:
    """A name as a key of TOML."""
    return name if _BARE_KEY.fullmatch(name) else quoted(name)
