"""The example and the options of each command, from the typer application."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer

from docs.tools.markdown import either, table
from sweep.cli import app
from sweep.cli.examples import EXAMPLES

OPTIONS_OF_ALL = {"--runs", "--db", "--help", "--quiet", "--debug"}
"""Options that the page describes once, above the commands."""


def _commands(group: Any, above: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  (click's own)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{above}{name} ")
        elif not command.hidden:
            yield f"{above}{name}", command


def _callbacks(group: typer.Typer, above: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    for command in group.registered_commands:
        assert command.callback
        name = command.name or command.callback.__name__.replace("_", "-")
        yield f"{above}{name}", command.callback
    for below in group.registered_groups:
        assert below.typer_instance
        name = below.name or below.typer_instance.info.name
        yield from _callbacks(below.typer_instance, f"{above}{name} ")


COMMANDS: Mapping[str, Any] = dict(_commands(typer.main.get_command(app), ""))
"""Every command of the application by its words: `run`, `data list`."""
CALLBACKS: Mapping[str, Callable[..., Any]] = dict(_callbacks(app, ""))
"""The function of every command, by the command's words."""


def example_and_options(name: str) -> str:
    """What the command does, an example, and a table of its arguments and options."""
    command = COMMANDS[name]
    kinds = get_type_hints(CALLBACKS[name], include_extras=True)
    rows = [
        (_names(each, _values(kinds[each.name])), _meaning(each, _values(kinds[each.name])))
        for each in command.params
        if not each.hidden and not OPTIONS_OF_ALL & set(each.opts)
    ]
    text = f"{_sentence(command.help)}\n\n    sweep {name} {EXAMPLES[name]}"
    return f"{text}\n\n{table(('argument or option', 'meaning'), rows)}" if rows else text


def _sentence(docstring: str) -> str:
    """The first paragraph of a docstring, on one line: Markdown wraps it."""
    return " ".join(docstring.strip().partition("\n\n")[0].split())


def _values(hint: Any) -> tuple[str, ...]:  # noqa: ANN401  (any annotation)
    """The words that an option takes, if it takes only certain ones."""
    if get_origin(hint) in (Annotated, Union, types.UnionType, list):
        return tuple(word for each in get_args(hint)[:2] for word in _values(each))
    if get_origin(hint) is Literal:
        return get_args(hint)
    is_choice = isinstance(hint, type) and issubclass(hint, Enum)
    return tuple(str(member.value) for member in hint) if is_choice else ()


def _names(parameter: Any, values: tuple[str, ...]) -> str:  # noqa: ANN401  (click's own)
    """`--slots N`, `-o FILE`, `--pairs` and `--no-pairs`: as they are typed."""
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    names = [*parameter.opts, *parameter.secondary_opts]
    if parameter.is_flag or parameter.secondary_opts:
        return ", ".join(f"`{name}`" for name in names)
    word = parameter.metavar or (either(values).replace("`", "") if values else _word(parameter))
    return ", ".join(f"`{name} {word}`" if not values else f"`{name}`" for name in names)


def _word(parameter: Any) -> str:  # noqa: ANN401  (click's own)
    """The word for the value of an option that names none itself: a number, unless it has a default."""
    return "FILE" if isinstance(parameter.default, Path) else "N"


def _meaning(parameter: Any, values: tuple[str, ...]) -> str:  # noqa: ANN401  (click's own)
    words = [parameter.help or ""]
    if values and not getattr(parameter, "is_flag", False):
        words.append(f"{either(values)}.")
    if parameter.required and parameter.param_type_name == "option":
        words.append("Required.")
    if parameter.default not in (None, False, "", ()) and not parameter.is_flag:
        words.append(f"Default: `{getattr(parameter.default, 'value', parameter.default)}`.")
    return " ".join(words)
