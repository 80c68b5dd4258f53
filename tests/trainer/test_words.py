"""Numbers in messages agree with their nouns, and long lists are cut off."""

from __future__ import annotations

import pytest

from trainer.words import counted, shortened, with_rest


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((1, "run"), "1 run"),
        ((0, "run"), "0 runs"),
        ((1200, "run"), "1,200 runs"),
        ((1, "study", "studies"), "1 study"),
        ((2, "study", "studies"), "2 studies"),
        ((1, "run is", "runs are"), "1 run is"),
        ((3, "run is", "runs are"), "3 runs are"),
    ],
)
def test_a_count_of_one_has_a_singular_noun(words: tuple[int, str, str], expected: str) -> None:
    assert counted(*words) == expected


@pytest.mark.parametrize(
    ("words", "short", "counting"),
    [
        ([], "", []),
        (["a", "b"], "a, b", ["a", "b"]),
        (["a", "b", "c", "d"], "a, b, …", ["a", "b", "and 2 more"]),
    ],
)
def test_a_long_list_ends_with_an_ellipsis_or_a_count(
    words: list[str], short: str, counting: list[str]
) -> None:
    assert shortened(words, 2) == short
    assert with_rest(words, 2) == counting
