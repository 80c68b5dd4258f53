"""Regular two-level fractions, against published tables."""

from __future__ import annotations

from itertools import combinations
from math import prod

import pytest

from sweep.design.fractions import LETTERS, Fraction, find_fraction, letters

PUBLISHED = {
    # Box, Hunter and Hunter (2005), Statistics for Experimenters, table 6.22, and Montgomery
    # (2017), Design and Analysis of Experiments, appendix X; word-length patterns from length 3 on,
    # as Chen, Sun and Wu (1993), International Statistical Review 61, 131-145, list them.
    (3, 2): (1,),
    (4, 3): (0, 1),
    (5, 3): (2, 1),
    (6, 3): (4, 3),
    (7, 3): (7, 7, 0, 0, 1),
    (5, 4): (0, 0, 1),
    (6, 4): (0, 3),
    (7, 4): (0, 7),
    (8, 4): (0, 14, 0, 0, 0, 1),
    (9, 4): (4, 14, 8, 0, 4, 1),
    (10, 4): (8, 18, 16, 8, 8, 5),
    (11, 4): (12, 26, 28, 24, 20, 13, 4),
    (6, 5): (0, 0, 0, 1),
    (7, 5): (0, 1, 2),
    (8, 5): (0, 3, 4),
    (9, 5): (0, 6, 8, 0, 0, 1),
    (10, 5): (0, 10, 16, 0, 0, 5),
    (11, 5): (0, 25, 0, 27, 0, 10, 0, 1),
    (8, 6): (0, 0, 2, 1),
    (9, 6): (0, 1, 4, 2),
    (10, 6): (0, 2, 8, 4, 0, 1),
    (11, 6): (0, 4, 14, 8, 0, 3, 2),
    (10, 7): (0, 0, 3, 3, 1),
    (11, 7): (0, 0, 6, 6, 2, 1),
}
"""By numbers of factors and basic factors: numbers of words of length 3, 4, ..."""


def signs(fraction: Fraction) -> list[list[int]]:
    return [[1 if on else -1 for on in row] for row in fraction.rows()]


@pytest.mark.parametrize(("factors", "basic"), PUBLISHED)
def test_the_word_length_pattern_is_the_published_one(factors: int, basic: int) -> None:
    found = find_fraction(factors, basic)
    assert found is not None
    pattern = list(found.pattern[2:])
    assert pattern == [*PUBLISHED[factors, basic], *[0] * len(pattern)][: len(pattern)]
    assert found.pattern[:2] == (0, 0)


@pytest.mark.parametrize(("factors", "basic"), [*PUBLISHED, (12, 4), (12, 5), (12, 6), (12, 8)])
def test_the_defining_relation_is_that_of_the_runs(factors: int, basic: int) -> None:
    found = find_fraction(factors, basic)
    assert found is not None
    rows = signs(found)
    assert len({tuple(row) for row in rows}) == found.runs == 2**basic
    assert rows[0] == [-1] * factors
    for word, name in zip(found.words, found.word_names(), strict=True):
        places = [place for place in range(factors) if word >> place & 1]
        products = {prod(row[place] for place in places) for row in rows}
        assert products == {-1 if name.startswith("-") else 1}
    assert len(set(found.words)) == 2 ** (factors - basic) - 1


@pytest.mark.parametrize(("factors", "basic"), [(7, 4), (8, 4), (5, 4), (6, 3), (9, 5)])
def test_aliases_are_the_terms_whose_columns_are_equal_but_for_the_sign(
    factors: int, basic: int
) -> None:
    found = find_fraction(factors, basic)
    assert found is not None
    rows = signs(found)
    terms = [sum(1 << each for each in c) for n in (1, 2) for c in combinations(range(factors), n)]
    columns = {
        t: [prod(row[p] for p in range(factors) if t >> p & 1) for row in rows] for t in terms
    }
    for term in terms:
        same = {each for each in terms if abs(dot(columns[term], columns[each])) == len(rows)}
        assert {term, *found.aliases(term)} == same
        for alias in found.aliases(term):
            negative = dot(columns[term], columns[alias]) < 0
            assert found.alias_sign(term, alias) == ("-" if negative else "+")


def dot(one: list[int], other: list[int]) -> int:
    return sum(x * y for x, y in zip(one, other, strict=True))


def test_eight_factors_have_resolution_four_in_sixteen_runs_and_five_have_five() -> None:
    eight, five = find_fraction(8, 4), find_fraction(5, 4)
    assert eight is not None
    assert five is not None
    assert (eight.runs, eight.resolution) == (16, 4)
    assert (five.runs, five.resolution, five.generator_names()) == (16, 5, ["E = -ABCD"])
    assert all(len(chain) == 1 for chain in five.chains())
    assert sorted(map(len, eight.chains())) == [1] * 8 + [4] * 7


def test_there_is_no_fraction_with_more_factors_than_its_runs_can_tell_apart() -> None:
    assert find_fraction(8, 3) is None
    assert find_fraction(4, 4) is None
    assert find_fraction(13, 5) is None


def test_the_letter_i_stands_for_the_identity_and_for_no_factor() -> None:
    assert "I" not in LETTERS
    assert letters(0b100000011) == "ABJ"
