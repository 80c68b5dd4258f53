"""Names of runs, which often end in a seed: `clip-seed3` is seed 3 of the arm `clip`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweep.importing.cells import seed_labels
from sweep.importing.fields import Field
from sweep.importing.rules import Reading
from sweep.importing.selection import quoted
from sweep.study.names import BASELINE
from sweep.terminal.printable import shown

if TYPE_CHECKING:
    import pandas as pd

_OPEN = r"[-_ ./,:;|@&~]*[(\[{]?"
_SEED_WORD = rf"{_OPEN}(?<![a-z])(?:(?:random|rng|manual|torch|global)[-_ ]?)?seed[-_ =:.]*(?P<seed>\d+)[)\]}}]?"
"""`-seed3`, `_seed_3`, `, seed=3`, ` (seed 3)`, `/seed_3`, `-random_seed=3`."""
_LETTER = (
    rf"{_OPEN}(?<=[-_ ./,:;|@&~(\[{{])(?:s|sd|rng|run|rep|repeat|replicate|trial|try|fold)"
    r"[-_ =:]?(?P<seed>\d+)[)\]}]?"
)
"""`_s3`, `-s3`, `/s3`, ` (s3)`, `-run3`, `_rep3`: such a word after a separator."""
_NUMBER = r"(?<!\d)(?<!\de)(?:[-_ ./#@:]|[-_ ]?[(\[])(?P<seed>\d+)[)\]]?"
"""`.3`, `-3`, `_3`, `#3`, ` (3)`, but not the end of `0.3`, `v1.3` or `1e-3`."""
_ENDINGS = {
    "word": re.compile(rf"(?P<arm>.*?\S){_SEED_WORD}", re.IGNORECASE),
    "within": re.compile(
        rf"(?P<arm>.*?){_SEED_WORD}(?P<rest>(?:[^\w.]|_|[./](?!\d)).*)", re.IGNORECASE
    ),
    "letter": re.compile(rf"(?P<arm>.*?\S){_LETTER}", re.IGNORECASE),
    "number": re.compile(rf"(?P<arm>.*[a-z].*?|[a-z]){_NUMBER}", re.IGNORECASE),
    "joined": re.compile(r"(?P<arm>.*[a-z])(?P<seed>\d+)", re.IGNORECASE),
    "front": re.compile(r"s?(?P<seed>\d+)[-_ ./:]+(?P<arm>[a-z].*)", re.IGNORECASE),
}
"""Places where a seed may be, the surest first."""
_MAYBE = (["letter"], ["letter", "number"])
"""Endings that are asked about, if they are not seeds for sure."""
_RARE = (["joined"], ["front"])
"""Places that are seeds only if nothing else is possible."""
_TRIMMED = "-_ ./,:;#|@&~"


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

    def are_all_repeats(self) -> bool:
        """True if every name has an ending, and these can only be seeds."""
        return bool(self.seeds) and len(self.seeds) == len(self.arms) and self.are_repeats()

    def repeated(self) -> list[str]:
        """Return the names of arms that have several endings, or one beside the plain name."""
        plain = {name for name in self.arms if name not in self.seeds}
        many = {arm for arm, seeds in self.by_arm().items() if len(seeds) > 1 - (arm in plain)}
        return [name for name in self.seeds if self.arms[name] in many]


def split_run_names(
    names: pd.Series[Any],
    column: str,
    reading: Reading,
    *,
    has_seeds: bool = False,
    only_words: bool = False,
) -> Mapping[Field, pd.Series[Any]]:
    """Split run names into arm and seed; empty if they have no seeds.

    A name without a seed is the arm itself. Numbers without the word `seed` are seeds if nothing else
    is possible or if the user says that the names have seeds (`has_seeds`), and never with
    `only_words`. Asks if they may be seeds, or if there are none where there should be.
    """
    text = names.astype("str").str.strip()
    different = text.unique().tolist()
    sure = _take_apart(different, ["word", "within"])
    if sure.seeds and (has_seeds or _are_seeds(sure)):
        return _columns(text, sure)
    if sure.seeds:
        reading.questions.ask(_no_repeats(next(iter(sure.seeds)), column, reading.source))
        return {}
    if only_words and not has_seeds:
        return {}
    for endings in (*_MAYBE, *_RARE):
        parts = _take_apart(different, endings)
        if parts.seeds and (has_seeds or parts.are_all_repeats()):
            return _columns(text, parts)
        if endings in _MAYBE and parts.repeated() and not has_seeds:
            reading.questions.ask(_question(parts, column, reading.source))
            return _columns(text, parts)
    if has_seeds:
        reading.questions.ask(
            f"{reading.source}: no name in {shown(column)}, such as {shown(different[0])}, ends in a seed; "
            "name the column of the seed, or add --column seed=- if there is none"
        )
    return {}


def arms_without_seeds(
    names: pd.Series[Any], seeds: pd.Series[Any], column: str, reading: Reading, *, ask: bool
) -> Mapping[Field, pd.Series[Any]]:
    """Return the arms of names that repeat the seed of another column: `clip-seed3` with seed 3.

    Empty if they do not. Asks if the names have other seeds than the column.
    """
    text = names.astype("str").str.strip()
    different = text.unique().tolist()
    for endings in (["word", "within"], *_MAYBE):
        parts = _take_apart(different, endings)
        if len(parts.seeds) < len(different):
            continue
        own = text.map(parts.seeds).str.lstrip("0")
        if (own == seed_labels(seeds).str.lstrip("0")).all():
            is_sure = "word" in endings or parts.are_all_repeats()
            return {Field.ARM: text.map(parts.arms)} if is_sure else {}
        if "word" in endings and ask and parts.repeated():
            reading.questions.ask(
                f"{reading.source}: {shown(different[0])} in {shown(column)} ends in another seed than "
                f"its column of seeds has; say --column seed={quoted(column)} to take those of the "
                f"names, or --column arm={quoted(column)} if each name is an arm"
            )
            return {}
    return {}


def _are_seeds(parts: Parts) -> bool:
    """True for names with the word `seed` at the end, or within, if arms repeat then."""
    ends = any(_ENDINGS["word"].fullmatch(name) for name in parts.seeds)
    return ends or bool(parts.repeated())


def _no_repeats(name: str, column: str, source: str) -> str:
    return (
        f"{source}: {shown(name)} in {shown(column)} has a seed in it, and without it no arm has two "
        "runs; name the columns with --column arm=COLUMN and --column seed=COLUMN, or say --column "
        f"seed={quoted(column)} to take it, --column seed=- if each name is an arm"
    )


def _take_apart(names: Sequence[str], endings: Sequence[str]) -> Parts:
    """Take names apart by the first of these places that each has."""
    arms, seeds = {}, {}
    for name in names:
        found = next(filter(None, (_ENDINGS[each].fullmatch(name) for each in endings)), None)
        groups = found.groupdict() if found else {}
        arm = f"{groups.get('arm', '')}{groups.get('rest') or ''}"
        arm = arm.rstrip(_TRIMMED).lstrip(_TRIMMED if "rest" in groups else "")
        arms[name] = arm or name
        if arm:
            seeds[name] = groups["seed"]
    return Parts(arms=arms, seeds=seeds)


def _columns(names: pd.Series[Any], parts: Parts) -> Mapping[Field, pd.Series[Any]]:
    return {Field.ARM: names.map(parts.arms), Field.SEED: names.map(parts.seeds)}


def _question(parts: Parts, column: str, source: str) -> str:
    name = parts.repeated()[0]
    return (
        f"{source}: {shown(name)} in {shown(column)} may be seed {parts.seeds[name]} of "
        f"{shown(parts.arms[name])}, or an arm of its own; add --column seed={quoted(column)} if "
        "names end in seeds, or --column seed=- if they do not"
    )
