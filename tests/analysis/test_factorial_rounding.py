"""Effects of runs whose values were written with few digits."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.factorials.contrasts import beyond_the_sum, judge_contrasts
from analysis.factorials.judge import judge_factorial
from tests.analysis.test_factorial_effects import (
    PILOT,
    PLAN,
    factors_of,
    paired_runs,
    standard,
    unpaired,
)


def test_blocks_that_agree_to_the_last_digit_have_the_noise_of_rounding() -> None:
    """Both replicates of the pilot plant give 1.5 for T x C: sums of eight whole numbers / 4."""
    runs = paired_runs(standard(3), np.array(PILOT, float))
    found = judge_factorial(runs, factors_of("TCK", standard(3)), PLAN, paired=True)
    effect = next(each for each in found.effects if each.name == "T × C")
    assert effect.effect == 1.5
    # Eight roundings of variance 1 / 12, each with the weight 1 / 4, and the mean of two blocks.
    assert effect.standard_error == pytest.approx((8 / 16 / 12 / 2) ** 0.5)
    assert effect.verdict == "undecided"


def test_a_contrast_of_four_runs_has_the_rounding_of_four() -> None:
    rows = standard(2)
    factors = factors_of("AB", rows)
    runs = paired_runs(rows, np.array([[0.10, 0.12, 0.11, 0.25], [0.20, 0.22, 0.21, 0.35]]))
    (effect,) = judge_contrasts(runs, beyond_the_sum(factors), PLAN).effects
    assert effect.standard_error == pytest.approx(0.01 * (4 / 12 / 2) ** 0.5)


def test_repeated_runs_that_agree_to_the_last_digit_have_the_noise_of_rounding() -> None:
    values = [0.51, 0.52, 0.52, 0.53]
    found = unpaired("AB", standard(2), values, values)
    assert found.effects[0].standard_error == pytest.approx(0.01 / 12**0.5 / 2**0.5)
