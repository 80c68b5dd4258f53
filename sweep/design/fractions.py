"""Regular two-level fractions 2^(k-p): generators of minimum aberration, found by search.

A word is a set of factors whose levels multiply to a constant in every run, here an int with a bit
for each factor. The words of a fraction are all products of its generators. Fries and Hunter (1980),
"Minimum aberration 2^(k-p) designs", Technometrics 22, 601-608: of two fractions, the one with fewer
words of the shortest length at which they differ is better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations

LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"
"""Names of factors in words; I is left out, because it stands for the identity."""
MAX_FACTORS = 12
"""Maximum number of factors of a fraction."""

Pattern = tuple[int, ...]
"""Numbers of words of length 1, 2, ..., k."""


@dataclass(frozen=True)
class Fraction:
    """A regular fraction of a two-level factorial, with the run in which all factors are off."""

    factors: int
    generators: tuple[int, ...]
    """For each factor after the basic ones: the set of basic factors whose product it is."""

    @property
    def basic(self) -> int:
        """Number of factors that take all combinations."""
        return self.factors - len(self.generators)

    @property
    def runs(self) -> int:
        """Number of combinations."""
        return 1 << self.basic

    @cached_property
    def words(self) -> list[int]:
        """The defining relation: every word, the shortest ones first."""
        words = [0]
        for place, generator in enumerate(self.generators):
            own = generator | 1 << (self.basic + place)
            words += [word ^ own for word in words]
        return sorted(words[1:], key=lambda word: (word.bit_count(), _letters_in(word)))

    @property
    def pattern(self) -> Pattern:
        """The word-length pattern: numbers of words of length 1, 2, ..., k."""
        lengths = [word.bit_count() for word in self.words]
        return tuple(lengths.count(length) for length in range(1, self.factors + 1))

    @property
    def resolution(self) -> int:
        """The length of the shortest word."""
        return min(word.bit_count() for word in self.words)

    def rows(self) -> Iterator[tuple[bool, ...]]:
        """The combinations, the first factor changing fastest; the first one has all factors off."""
        for basic in range(self.runs):
            made = basic
            for place, generator in enumerate(self.generators):
                on = (basic & generator).bit_count() % 2
                made |= on << (self.basic + place)
            yield tuple(bool(made >> factor & 1) for factor in range(self.factors))

    def generator_names(self) -> list[str]:
        """`E = BCD`, `E = -ABCD`; signs are those of levels -1 (off) and 1 (on)."""
        return [
            f"{LETTERS[self.basic + place]} = {sign(generator, odd=True)}{letters(generator)}"
            for place, generator in enumerate(self.generators)
        ]

    def word_names(self) -> list[str]:
        """The defining relation as words with signs: `BCDE`, `-ABCDE`."""
        return [f"{sign(word, odd=False)}{letters(word)}" for word in self.words]

    def aliases(self, term: int, most: int = 2) -> list[int]:
        """The other terms of up to `most` factors that cannot be told from `term`."""
        others = [term ^ word for word in self.words]
        return sorted(
            (each for each in others if 0 < each.bit_count() <= most),
            key=lambda each: (each.bit_count(), _letters_in(each)),
        )

    def alias_sign(self, term: int, alias: int) -> str:
        """`-` if the effects of both terms have opposite signs in every estimate, else `+`."""
        return "-" if sign(term ^ alias, odd=False) else "+"

    def chains(self, order: int = 2) -> list[list[int]]:
        """The terms of up to `order` factors in groups that cannot be told from each other."""
        left, found = dict.fromkeys(_terms(self.factors, order)), []
        while left:
            first = next(iter(left))
            found.append([first, *self.aliases(first, order)])
            for each in found[-1]:
                left.pop(each, None)
        return found


def letters(term: int) -> str:
    """`ABD`, for a set of factors."""
    return "".join(LETTERS[place] for place in _letters_in(term))


def sign(term: int, *, odd: bool) -> str:
    """The sign of a product of factors that are all off: `-` for an odd number of them.

    With `odd`, the sign that makes the product off when they are: `-` for an even number.
    """
    return "-" if term.bit_count() % 2 != odd else ""


def _letters_in(term: int) -> list[int]:
    return [place for place in range(term.bit_length()) if term >> place & 1]


def _terms(factors: int, order: int) -> Iterator[int]:
    for size in range(1, order + 1):
        for chosen in combinations(range(factors), size):
            yield sum(1 << place for place in chosen)


@lru_cache(maxsize=256)
def find_fraction(factors: int, basic: int) -> Fraction | None:
    """The fraction of 2^basic runs of minimum aberration; None if there is none."""
    added = factors - basic
    if added < 1 or factors > min((1 << basic) - 1, MAX_FACTORS):
        return None
    return Fraction(factors, _Search(factors, basic).best())


class _Search:
    """A branch-and-bound search over sets of generators.

    A generator added later only adds words, so a set is given up when its pattern is already worse
    than the best one's. Basic factors that no generator tells apart are interchangeable: only
    generators that take the first ones of each such class are tried.
    """

    def __init__(self, factors: int, basic: int) -> None:
        self.factors, self.basic = factors, basic
        self.generators: tuple[int, ...] = ()
        self.pattern: Sequence[int] | None = None

    def best(self) -> tuple[int, ...]:
        """The generators of the best fraction."""
        everything = (1 << self.basic) - 1
        self._extend((), [0], [0] * (self.factors + 1), [everything])
        return self.generators

    def _extend(
        self, chosen: tuple[int, ...], words: list[int], pattern: list[int], classes: list[int]
    ) -> None:
        if self.pattern is not None and pattern >= list(self.pattern):
            return
        if len(chosen) == self.factors - self.basic:
            self.generators, self.pattern = chosen, pattern
            return
        bit = 1 << (self.basic + len(chosen))
        for generator in self._candidates(chosen, classes):
            more = [word ^ generator ^ bit for word in words]
            counts = pattern.copy()
            for word in more:
                counts[word.bit_count()] += 1
            parts = (part for each in classes for part in (each & generator, each & ~generator))
            finer = [part for part in parts if part]
            self._extend((*chosen, generator), words + more, counts, finer)

    def _candidates(self, chosen: tuple[int, ...], classes: list[int]) -> list[int]:
        """Generators that are tried next: none longer than the last one, the longest first."""
        found = [0]
        for members in classes:
            firsts = [0]
            for place in _letters_in(members):
                firsts.append(firsts[-1] | 1 << place)
            found = [one | other for one in found for other in firsts]
        last = (chosen[-1].bit_count(), chosen[-1]) if chosen else (self.basic + 1, 0)
        usable = [each for each in found if 2 <= each.bit_count() <= last[0] and each not in chosen]
        return sorted(usable, key=lambda each: (-each.bit_count(), each))
