"""The catalogue of changes that people try: `sweep/interventions.toml`, read and searched."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from sweep.drafting.values import key, quoted, toml
from sweep.errors import did_you_mean
from trainer.errors import UserError


@dataclass(frozen=True)
class KnownIntervention:
    """A change to the built-in trainer's recipe, with a reason to try it."""

    name: str
    because: str
    source: str
    """Papers and models that it is from."""
    set: Mapping[str, Any]
    """Recipe fields and their values, as in a study file."""

    @property
    def set_line(self) -> str:
        """The line of a study file that makes the change."""
        return f"set = {toml(self.set)}"

    @property
    def text(self) -> str:
        """The table to paste into a study file."""
        because = quoted(f"{self.because} ({self.source})")
        return f"[interventions.{key(self.name)}]\nbecause = {because}\n{self.set_line}\n"

    def has(self, word: str) -> bool:
        """True if a word is part of its name, reason, source, fields or values."""
        texts = (self.name, self.because, self.source, self.set_line)
        return any(word.casefold() in text.casefold() for text in texts)


@cache
def catalogue() -> tuple[KnownIntervention, ...]:
    """All known interventions, in the order of the file: model, optimiser, schedule, training."""
    text = files("sweep").joinpath("interventions.toml").read_text(encoding="utf-8")
    (listed,) = tomllib.loads(text).values()  # the table `interventions`
    return tuple(KnownIntervention(name=name, **fields) for name, fields in listed.items())


def search(words: Sequence[str]) -> list[KnownIntervention]:
    """The interventions that have each of the words somewhere."""
    return [each for each in catalogue() if all(each.has(word) for word in words)]


def by_name(names: Iterable[str]) -> list[KnownIntervention]:
    """The interventions of these names, each once. Raises UserError for another name."""
    known = {each.name: each for each in catalogue()}
    names = dict.fromkeys(names)
    for name in names:
        if name not in known:
            raise UserError(
                f"{name!r} is not in the catalogue of interventions{did_you_mean(name, known)} "
                "(`sweep interventions` lists it)"
            )
    return [known[name] for name in names]
