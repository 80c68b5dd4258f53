"""Effects are written with the digits that their intervals support."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.figures.words import shown_effect
from sweep.terminal.units import supported_decimals


@pytest.mark.parametrize(
    ("low", "high", "decimals"),
    [
        (-0.0184, -0.0095, 4),
        (-0.0698, 0.0110, 3),
        (-0.2261, 0.6751, 2),
        (-300.0, 200.0, 0),
        (-0.0003, 0.0300, 4),  # -0.000 would not say on which side of zero the end lies
        (-math.inf, math.inf, 4),
        (None, None, 4),
        (-0.00012, -0.00011, 4),
    ],
)
def test_half_of_the_interval_has_two_digits_and_no_more_than_the_metric_has(
    low: float | None, high: float | None, decimals: int
) -> None:
    assert supported_decimals(low, high, 4) == decimals


@given(st.floats(-10, 10), st.floats(1e-3, 10))
def test_rounding_moves_the_ends_of_an_interval_by_at_most_a_twentieth_of_its_half_width(
    middle: float, half: float
) -> None:
    low, high = middle - half, middle + half
    decimals = supported_decimals(low, high, 4)
    for end in (low, high):
        assert abs(round(end, decimals) - end) <= half / 20 + 1e-9
        assert decimals == 4 or not end or round(end, decimals)


def test_a_figure_writes_effect_and_interval_alike() -> None:
    assert shown_effect(-0.0288, -0.0418, -0.0157, 4) == "−0.029  [−0.042 to −0.016]"
