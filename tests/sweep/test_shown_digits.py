"""Effects, means and standard deviations are written with the digits that their intervals support."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.noise import noise
from sweep.figures.words import shown_effect
from sweep.reports.seeds_text import mean_words, sd_interval, sd_words
from sweep.terminal.units import supported_decimals, two_digits
from sweep.verdicts.decimals import difference_decimals, mean_decimals, t_quantile


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


@pytest.mark.parametrize(
    ("sd", "words"),
    [
        (0.0095734, "0.0096"),
        (0.31234, "0.31"),
        (0.00012345, "0.00012"),
        (12.3, "12"),
        (1234.5, "1,234"),
        (0.0, "0"),
    ],
)
def test_a_standard_deviation_without_an_interval_has_two_digits(sd: float, words: str) -> None:
    assert two_digits(sd) == words


def test_a_standard_deviation_has_the_digits_that_its_interval_supports() -> None:
    seven = noise([3.6660, 3.6739, 3.6843, 3.6628, 3.6938, 3.6757, 3.6619])
    assert (mean_words(seven), sd_words(seven)) == ("3.674", "0.0118")
    assert sd_interval(seven) == "0.0076 to 0.0260"
    tiny = noise([3.12345, 3.12351, 3.12339])
    assert (mean_words(tiny), sd_words(tiny)) == ("3.1235", "0.00006")
    assert sd_words(noise([2.5, 2.5, 2.5])) == "0.0000"


@given(st.floats(0.1, 5), st.floats(1e-4, 1), st.integers(2, 100))
def test_rounding_moves_a_mean_by_at_most_a_tenth_of_half_of_its_interval(
    mean: float, sd: float, seeds: int
) -> None:
    digits = mean_decimals(mean, sd, seeds, 9)
    half = t_quantile(seeds - 1) * sd / seeds**0.5
    assert abs(round(mean, digits) - mean) <= half / 10 + 1e-12
    assert mean_decimals(mean, sd, seeds, 4) == min(digits, 4)


def test_results_of_single_runs_keep_the_decimals_of_the_metric() -> None:
    assert mean_decimals(2.34541, None, 1, 4) == 4
    assert difference_decimals([-0.03], 4) == 4
    assert difference_decimals([-0.03, -0.01, -0.05], 4) == 3
