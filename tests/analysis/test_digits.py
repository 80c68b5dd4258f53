"""Differences of decimal losses are exact."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analysis.digits import centred, difference

decimals = st.integers(-(10**12), 10**12).map(lambda k: f"{k}e-6")
doubles = st.floats(-1e6, 1e6)


def test_a_difference_of_ordinary_losses_is_what_a_reader_of_them_computes() -> None:
    assert difference([3.412, 10.4], [3.398, 10.3]).tolist() == [0.014, 0.1]
    assert 3.412 - 3.398 != 0.014


@given(decimals, decimals)
def test_a_difference_of_written_decimals_is_exact_to_a_double(first: str, second: str) -> None:
    difference = centred([float(first), float(second)])[1]
    assert difference == float(Fraction(second) - Fraction(first))


@given(doubles, doubles)
def test_a_difference_is_never_off_by_more_than_the_spacing_of_doubles(x: float, y: float) -> None:
    exact = Fraction(y) - Fraction(x)
    spacing = float(np.spacing(abs(x) + abs(y)))
    assert abs(centred([x, y])[1] - exact) <= spacing


def test_computed_values_are_subtracted_as_doubles() -> None:
    third = 1e6 / 3
    values = [third, third + 3 * 2.0**-34]
    assert centred(values)[1] == 3 * 2.0**-34


def test_equal_values_differ_by_exactly_zero() -> None:
    assert not centred([0.1, 0.1, 0.1]).any()
