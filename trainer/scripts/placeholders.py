"""Placeholders of a command: `{lr}` is replaced, `{{` and `}}` are braces, and that is all.

Values are written as Python writes them: `0.0006`, `1000000.0`, `True`; lists and tables as JSON. A
string is put in as it is: there is no shell that would split it or expand anything in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from trainer.errors import CommandError

PLACEHOLDERS = {
    "run_dir": "the folder of the run's outputs",
    "result": "the JSON file of metrics that the script may write",
    "parameters": "a JSON file of all parameters",
    "gpus": "the number of GPUs of the run on a node, or of processes without a GPU",
    "port": "a free port, another one for each run",
    "attempt": "1 for the first attempt, 2 for the next",
}
"""Placeholders beside the parameters and the seeds, which come first if they have such a name."""
_PIECE = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}]*)\}|(?P<alone>[{}])")
_FORMAT = re.compile(r"[:!\[\]]")
_BARE = re.compile(r"[\w./+-][\w./:+-]*")
"""A string that Hydra's grammar takes without quotation marks."""


def names(template: str) -> list[str]:
    """The names of the placeholders, each once, in order. Raises CommandError if braces are wrong."""
    return list(dict.fromkeys(name for name, _ in _pieces(template) if name is not None))


def fill(template: str, values: Mapping[str, JsonValue]) -> str:
    """Replace the placeholders by values. Raises CommandError for braces and unknown names."""
    return "".join(
        text if name is None else _value_of(name, template, values)
        for name, text in _pieces(template)
    )


def escape(word: str) -> str:
    """A word as a template, in which its braces are braces."""
    return word.replace("{", "{{").replace("}", "}}")


def as_text(value: JsonValue) -> str:
    """A value as a command has it."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list) or value is None:
        return json.dumps(value)
    return repr(value)


def as_flags(parameters: Mapping[str, JsonValue]) -> list[str]:
    """`--name=value` for each parameter; `--name` for true, and nothing for false."""
    return [
        f"--{name}" if value is True else f"--{name}={as_text(value)}"
        for name, value in parameters.items()
        if value is not False
    ]


def as_overrides(parameters: Mapping[str, JsonValue]) -> list[str]:
    """`name=value` for each parameter, in the grammar of Hydra's overrides."""
    return [f"{name}={_override(value)}" for name, value in parameters.items()]


def _override(value: JsonValue) -> str:
    if isinstance(value, str):
        if _BARE.fullmatch(value):
            return value
        return "'" + re.sub(r"(\\*)'", r"\1\1\\'", value) + "'"
    if isinstance(value, list):
        return f"[{','.join(_override(each) for each in value)}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_override(each)}" for key, each in value.items()) + "}"
    return json.dumps(value)


def _value_of(name: str, template: str, values: Mapping[str, JsonValue]) -> str:
    if name not in values:
        raise CommandError(unknown(name, template, list(values)))
    return as_text(values[name])


def unknown(name: str, template: str, known: Sequence[str]) -> str:
    """The message for a placeholder that stands for nothing."""
    allowed = ", ".join(f"{{{each}}}" for each in known)
    return (
        f"{template!r} has the placeholder {{{name}}}, which is not known here; known are {allowed}, "
        "and {{ is a brace"
    )


def _pieces(template: str) -> Iterator[tuple[str | None, str]]:
    """The template in pieces: the name of a placeholder, or else text. Raises CommandError."""
    at = 0
    for found in _PIECE.finditer(template):
        yield None, template[at : found.start()]
        at = found.end()
        name = found["name"]
        if found["alone"]:
            other = "closes" if found["alone"] == "{" else "opens"
            raise CommandError(
                f"{template!r} has a {found['alone']} that nothing {other}; write "
                f"{found['alone'] * 2} for a brace, or {{name}} for a placeholder"
            )
        if name is not None and (not name.strip() or _FORMAT.search(name)):
            raise CommandError(
                f"{template!r} has {found[0]}, which is no placeholder: only a name may stand "
                "between braces, such as {seed}; write {{ for a brace"
            )
        yield (None, found[0][0]) if name is None else (name, "")
    yield None, template[at:]
