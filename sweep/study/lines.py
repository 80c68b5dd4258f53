"""Find the line of each key of a TOML text; tomllib does not say it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from sweep.study.mistakes import Keys

MAX_STATEMENT_LINES = 100
MAX_STATEMENT_LENGTH = 20_000
"""The time to find the end of a value grows with the square of its lines."""


def find_lines(text: str) -> dict[Keys, int]:
    """The line of each key and table of a valid TOML text, as far as it can be read quickly.

    A statement ends with the first line at which it is valid by itself.
    """
    found: dict[Keys, int] = {}
    table: Keys = ()
    for first, statement, content in _statements(text):
        inner = list(_keys(content))
        if statement.lstrip().startswith("["):
            table = max(inner, key=len)
            for keys in inner:  # [a.b] declares `a` too
                found.setdefault(keys, first)
        else:
            for keys in inner:
                found.setdefault((*table, *keys), first)
    return found


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """First line, text and content of each table header and each assignment."""
    lines: list[str] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        lines.append(line)
        statement = "\n".join(lines)
        try:
            content = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            if len(lines) > MAX_STATEMENT_LINES or len(statement) > MAX_STATEMENT_LENGTH:
                return
            continue
        except (ValueError, RecursionError):  # as for `sweep.study.reading.read_study_text`
            return
        if content:
            yield number - len(lines) + 1, statement, content
        lines = []


def _keys(content: Mapping[str, Any]) -> Iterator[Keys]:
    for key, value in content.items():
        yield (key,)
        for element in value if isinstance(value, list) else [value]:
            if isinstance(element, dict):
                yield from ((key, *inner) for inner in _keys(element))
