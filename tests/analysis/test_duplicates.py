"""Runs of one arm with equal losses."""

import numpy as np
import pytest

from analysis.duplicates import decimals, equal_losses


def test_bit_identical_losses_of_distinct_runs_are_found() -> None:
    assert equal_losses([3.412345, 3.4, 3.412345, 3.398761, 3.4]) == [[1, 4], [0, 2]]
    assert equal_losses([3.412345, 3.4, 3.398761]) == []


def test_losses_with_few_decimals_are_equal_by_rounding() -> None:
    assert equal_losses([3.412, 3.398, 3.412]) == []
    assert equal_losses([0.71234, 0.70001, 0.71234]) == [[0, 2]]


def test_so_many_runs_that_equal_losses_are_expected_are_no_sign() -> None:
    losses = np.random.default_rng(1).normal(3.4, 0.01, 1000)
    rounded = np.round(losses, 5)
    assert np.unique(rounded).size < 1000
    assert equal_losses(rounded) == []
    assert equal_losses([*losses, losses[7]]) == [[7, 1000]]


def test_runs_that_are_all_equal_are_found() -> None:
    assert equal_losses([3.412345] * 3) == [[0, 1, 2]]


@pytest.mark.parametrize(("value", "expected"), [(3.0, 0), (3.412, 3), (1e-7, 7), (1 / 3, 15)])
def test_decimals_are_counted_as_written(value: float, expected: int) -> None:
    assert decimals([value, 2.0]) == expected
