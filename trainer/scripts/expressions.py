"""Regular expressions that find a metric or a step in a line of output."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

from trainer.errors import CommandError

GROUPS = ("value", "step")
"""Names of the group that is the number."""
LARGE_BLOCK = 4096
"""Bytes of output from which it pays to search a block as a whole first."""
_NOT_FINITE = r"[+-]?(?:[nN]a[nN]|NAN|[iI]nf(?:inity)?|INF)"
_LOOKS_AROUND = re.compile(r"\(\?<?[=!]|\\[AZbB]|\(\?\(|\(\?[a-zA-Z]")
"""Parts that may match a line by itself, and not the same line among others."""


class Expression:
    """A regular expression with a group for a number: the one called `value` (or
    `step`), or its only one.

    A number may be `nan` or `inf` where the group's own expression, such as `[0-9.]+`, allows digits
    only: otherwise a run that diverged would have the last loss before that.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._compiled = compile_expression(pattern)
        self._group = group_of(self._compiled)
        self._not_finite = _twin_for_not_finite(self._compiled)

    def may_match(self, block: bytes) -> bool:
        """False if no line of a block of output can match; quick for large blocks."""
        if len(block) < LARGE_BLOCK or not self._quick:
            return True
        return any(each.search(block) for each in self._quick)

    def numbers(self, line: str) -> Iterator[float]:
        """Yield the numbers that a line has, in order. A match that is no number is left out."""
        found = [(match.start(), match) for match in self._compiled.finditer(line)]
        if self._not_finite:
            found += [(match.start(), match) for match in self._not_finite.finditer(line)]
        for _, match in sorted(found, key=lambda each: each[0]):
            number = to_number(match[self._group])
            if number is not None:
                yield number

    @cached_property
    def _quick(self) -> tuple[re.Pattern[bytes], ...]:
        """Expressions for a block of lines; none if that is another search than one line by line."""
        if _LOOKS_AROUND.search(self.pattern) or not self.pattern.isascii():
            return ()
        compiled = [each for each in (self._compiled, self._not_finite) if each]
        return tuple(re.compile(each.pattern.encode(), re.MULTILINE) for each in compiled)


def compile_expression(pattern: str) -> re.Pattern[str]:
    """Compile a pattern. Raises CommandError if it is no regular expression, or has no group."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise CommandError(
            f"the expression '{pattern}' is no regular expression ({error}); see "
            "https://docs.python.org/3/library/re.html#regular-expression-syntax"
        ) from error
    group_of(compiled)
    return compiled


def group_of(compiled: re.Pattern[str]) -> int | str:
    """The group that is the number. Raises CommandError if that is not clear."""
    for name in GROUPS:
        if name in compiled.groupindex:
            return name
    if compiled.groups == 1:
        return 1
    raise CommandError(
        f"the expression '{compiled.pattern}' has {compiled.groups or 'no'} groups; put the number "
        "into a group called value, as in 'val loss (?P<value>[0-9.]+)'"
    )


def to_number(text: str | None) -> float | None:
    """The number that a text is; None if it is none. A full stop or comma may follow it."""
    try:
        return float((text or "").rstrip(".,;"))
    except ValueError:
        return None


def _twin_for_not_finite(compiled: re.Pattern[str]) -> re.Pattern[str] | None:
    """The same expression for lines in which the number is not finite; None if it allows that."""
    start = _start_of_group(compiled)
    end = _end_of_group(compiled.pattern, start) if start is not None else None
    if start is None or end is None:
        return None
    inside = compiled.pattern[start:end]
    if any(re.fullmatch(inside, text) for text in ("nan", "NaN")):
        return None
    return re.compile(compiled.pattern[:start] + _NOT_FINITE + compiled.pattern[end:])


def _start_of_group(compiled: re.Pattern[str]) -> int | None:
    """The index behind the parenthesis that opens the group."""
    group = group_of(compiled)
    if isinstance(group, str):
        return compiled.pattern.index(f"(?P<{group}>") + len(f"(?P<{group}>")
    found = re.search(r"(?<!\\)\((?!\?)", compiled.pattern)
    return found.end() if found else None


def _end_of_group(pattern: str, start: int) -> int | None:
    """The index of the parenthesis that closes a group."""
    depth, in_class, at = 1, False, start
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            at += 1
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
            at += pattern[at + 1 : at + 2] == "]" or 2 * (pattern[at + 1 : at + 3] == "^]")
        else:
            depth += (character == "(") - (character == ")")
        if not depth:
            return at
        at += 1
    return None
