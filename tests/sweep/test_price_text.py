"""The words for the time that a plan takes."""

from __future__ import annotations

import pytest

from sweep.forecast.pace import Pace
from sweep.forecast.price import TrainingTime
from sweep.reports.price_text import time_line


def said(seconds: float, spread: float = 1.0) -> str:
    """The line on two runs that take so many seconds one after the other."""
    time = TrainingTime(
        runs=2,
        slots=1,
        gpus_per_run=1,
        seconds=seconds,
        pace=Pace(1e9, "a source", spread=spread),
        tokens_per_second=0.0,
        cost=None,
    )
    return time_line(time)


@pytest.mark.parametrize(
    ("seconds", "spread", "words"),
    [
        (3.0, 2.0, "Time: about 5 s, one"),
        (100.0, 2.0, "Time: 50 s to 3 min 20 s, one"),
        (0.2, 1.0, "Time: about 1 s, one"),
        (313.0, 1.0, "Time: about 5 min 13 s, one"),
    ],
)
def test_a_range_whose_ends_read_alike_is_one_time(
    seconds: float, spread: float, words: str
) -> None:
    assert said(seconds, spread).startswith(words)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "; 1 s of training"), (313.0, "; 5 min 13 s of training"), (4e6, "; 1,111 hours of t")],
)
def test_short_training_is_not_told_in_thousandths_of_an_hour(seconds: float, words: str) -> None:
    assert words in said(seconds)
