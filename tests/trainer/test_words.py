"""Numbers in messages agree with their nouns."""

from __future__ import annotations

import pytest

from trainer.words import counted


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
