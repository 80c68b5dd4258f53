"""Names of runs, which often end in a seed: `clip-seed3` is seed 3 of the arm `clip`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweep.importing.fields import Field
from sweep.importing.rules import Reading
from sweep.importing.selection import quoted
from sweep.study.file import BASELINE
from sweep.terminal.printable import shown

if TYPE_CHECKING:
    import pandas as pd

_SEED_WORD = r"[-_ ./,:]*[(\[]?(?<![a-z])seed[-_ =:.]*(\d+)[)\]]?"
"""`-seed3`, `_seed_3`, `, seed=3`, ` (seed 3)`, `/seed_3`."""
_LETTER = r"[-_ ./,:]*[(\[]?(?<=[-_ ./,:(\[])s[-_ =:]?(\d+)[)\]]?"
"""`_s3`, `-s3`, `/s3`, ` (s3)`: an `s` after a separator."""
_NUMBER = r"(?<!\d)(?<!\de)(?:[-_ ./#]|[-_ ]?[(\[])(\d+)[)\]]?"
"""`.3`, `-3`, `_3`, `#3`, ` (3)`, but not the end of `0.3`, `v1.3` or `1e-3`."""
_ENDINGS = {
    "word": re.compile(rf"(.*?\S){_SEED_WORD}", re.IGNORECASE),
    "letter": re.compile(rf"(.*?\S){_LETTER}", re.IGNORECASE),
    "number": re.compile(rf"(.*[a-z].*?|[a-z]){_NUMBER}", re.IGNORECASE),
}
"""Endings that may be seeds, the surest first; groups are the arm and the seed."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Names taken apart."""

    arms: Mapping[str, str]
    """By name: its arm; the whole name if it has no seed."""
    seeds: Mapping[str, str]
    """By name that has one: its seed."""

    def by_arm(self) -> dict[str, set[str]]:
        """Return the seeds of each arm."""
        found: dict[str, set[str]] = {}
        for name, arm in self.arms.items():
            found.setdefault(arm, set()).update({self.seeds[name]} if name in self.seeds else ())
        return found

    def are_repeats(self) -> bool:
        """True if the endings can only be seeds: each arm has the same ones, the baseline too."""
        by_arm = self.by_arm()
        groups = list(by_arm.values())
        return (
            BASELINE in by_arm and len(groups[0]) > 1 and all(each == groups[0] for each in groups)
        )

    def may_be_repeats(self) -> bool:
        """True if an arm has several endings."""
        return any(len(seeds) > 1 for seeds in self.by_arm().values())


def split_run_names(
    names: pd.Series[Any], column: str, reading: Reading, *, has_seeds: bool = False
) -> Mapping[Field, pd.Series[Any]]:
    """Split run names into arm and seed; empty if they have no seeds.

    A name without a seed is the arm itself. Endings without the word `seed` are seeds if nothing else
    is possible or if the user says that the names have seeds (`has_seeds`). Asks if they may be
    seeds, or if there are none where there should be.
    """
    text = names.astype("str").str.strip()
    different = text.unique().tolist()
    sure = _take_apart(different, ["word"])
    if sure.seeds:
        return _columns(text, sure)
    for endings in (["letter"], ["letter", "number"]):
        parts = _take_apart(different, endings)
        if parts.seeds and (
            has_seeds or (parts.are_repeats() and len(parts.seeds) == len(different))
        ):
            return _columns(text, parts)
        if parts.may_be_repeats() and not has_seeds:
            reading.questions.ask(_question(parts, column, reading.source))
            return _columns(text, parts)
    if has_seeds:
        reading.questions.ask(
            f"{reading.source}: no name in {shown(column)}, such as {shown(different[0])}, ends in a seed; "
            "name the column of the seed, or add --column seed=- if there is none"
        )
    return {}


def _take_apart(names: Sequence[str], endings: Sequence[str]) -> Parts:
    """Take names apart by the first of these endings that each has."""
    arms, seeds = {}, {}
    for name in names:
        found = next(filter(None, (_ENDINGS[each].fullmatch(name) for each in endings)), None)
        arms[name] = found[1].rstrip("-_ ./,:#") if found else name
        if found:
            seeds[name] = found[2]
    return Parts(arms=arms, seeds=seeds)


def _columns(names: pd.Series[Any], parts: Parts) -> Mapping[Field, pd.Series[Any]]:
    return {Field.ARM: names.map(parts.arms), Field.SEED: names.map(parts.seeds)}


def _question(parts: Parts, column: str, source: str) -> str:
    name = next(name for name in parts.seeds if len(parts.by_arm()[parts.arms[name]]) > 1)
    return (
        f"{source}: {shown(name)} in {shown(column)} may be seed {parts.seeds[name]} of "
        f"{shown(parts.arms[name])}, or an arm of its own; add --column seed={quoted(column)} if "
        "names end in seeds, or --column seed=- if they do not"
    )
