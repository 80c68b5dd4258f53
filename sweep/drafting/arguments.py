"""The arguments of a script's command: flags with values, flags alone, and words alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from sweep.drafting.declared import Declared, normal

_FLAG = re.compile(r"--?[A-Za-z][\w.-]*")
_JOINED = re.compile(r"(--?[A-Za-z][\w./-]*)=(.*)", re.DOTALL)
_OVERRIDE = re.compile(r"(\+{0,2}[A-Za-z_][\w./@-]*)=(.*)", re.DOTALL)


class Form(Enum):
    """The forms in which a command gives an argument."""

    JOINED = auto()
    """`--lr=0.1`, or `lr=0.1` as Hydra reads it."""
    APART = auto()
    """`--lr 0.1`"""
    FURTHER = auto()
    """A further value of the flag before: the `0.95` of `--betas 0.9 0.95`."""
    BARE = auto()
    """`--verbose`"""
    POSITIONAL = auto()
    """A word without a flag."""


@dataclass(frozen=True)
class Argument:
    """One argument of a command."""

    form: Form
    flag: str = ""
    """As it is typed, such as `--lr`; empty for a word without a flag."""
    value: str = ""

    def words(self, value: str | None = None) -> list[str]:
        """The words of the command, with another value if one is given."""
        value = self.value if value is None else value
        if self.form is Form.JOINED:
            return [f"{self.flag}={value}"]
        if self.form is Form.APART:
            return [self.flag, value]
        return [self.flag] if self.form is Form.BARE else [value]


def read_arguments(words: Sequence[str], declared: Mapping[str, Declared]) -> list[Argument]:
    """The arguments in the words after a script; flags that the script declares, by name."""
    return list(_read(list(words), declared))


def _read(words: list[str], declared: Mapping[str, Declared]) -> Iterator[Argument]:
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word == "--":
            yield from (Argument(Form.POSITIONAL, value=each) for each in words[position - 1 :])
            return
        if found := _JOINED.fullmatch(word) or _OVERRIDE.fullmatch(word):
            yield Argument(Form.JOINED, found[1], found[2])
        elif not _FLAG.fullmatch(word):
            yield Argument(Form.POSITIONAL, value=word)
        else:
            values = _values(words[position:], declared.get(normal(word)))
            position += len(values)
            if not values:
                yield Argument(Form.BARE, word)
            for number, value in enumerate(values):
                yield Argument(Form.FURTHER if number else Form.APART, word, value)


def _values(words: Sequence[str], known: Declared | None) -> list[str]:
    """The values of a flag that these words follow."""
    if known and known.is_bare:
        return []
    values: list[str] = []
    for word in words:
        if _FLAG.fullmatch(word) or _JOINED.fullmatch(word) or word == "--":
            break
        values.append(word)
    return values if known and known.takes_several else values[:1]
