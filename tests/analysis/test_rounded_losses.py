"""Losses with few digits: their resolution, the least variance, and the exact test."""

import numpy as np
import pandas as pd
import pytest

from analysis.digits import resolution
from analysis.verdict import ArmVerdict, Plan, judge

PLAN = Plan(arms=("arm",), smallest_effect=0.0)
BASE = np.round(np.random.default_rng(2).normal(3.5, 0.05, 20), 3)


def verdict_on(arm: np.ndarray, base: np.ndarray, plan: Plan = PLAN) -> ArmVerdict:
    frames = [
        pd.DataFrame({"arm": name, "seed": range(len(losses)), "loss": losses, "status": "done"})
        for name, losses in (("baseline", base), ("arm", arm))
    ]
    return judge(pd.concat(frames), plan)["arm"]


@pytest.mark.parametrize(
    ("losses", "digit"),
    [
        ([3.412, 3.398], 0.001),
        ([3.41, 3.4], 0.01),
        ([3.0, 4.0], 1.0),
        ([1440.0, 1500.0], 1.0),
        ([3.412345678901234], 0.0),
        ([1e-7], 1e-7),
        ([], 0.0),
    ],
)
def test_the_resolution_is_that_of_the_digits_that_were_written(
    losses: list[float], digit: float
) -> None:
    assert resolution(losses) == pytest.approx(digit)


@pytest.mark.parametrize("decimals", [2, 3, 4, 6])
def test_rounded_losses_have_the_resolution_of_their_decimals(decimals: int) -> None:
    losses = np.round(np.random.default_rng(0).normal(3.5, 0.1, 50), decimals)
    assert resolution(losses) == pytest.approx(10.0**-decimals)
    assert resolution(np.random.default_rng(0).normal(3.5, 0.1, 5)) == 0


def test_twenty_equal_differences_of_a_thousandth_have_the_exact_p() -> None:
    row = verdict_on(np.round(BASE + 0.001, 3), BASE)
    assert row.verdict == "worse"
    assert row.p == pytest.approx(2 / 2**20)
    assert row.p_permutation == 2 / 2**20
    assert row.hidden_by_rounding
    assert row.ci_low is not None
    assert row.ci_high is not None
    assert 0 < row.ci_low < 0.001 < row.ci_high


@pytest.mark.parametrize("n", [3, 4, 5])
def test_a_few_equal_differences_of_a_thousandth_are_undecided(n: int) -> None:
    row = verdict_on(np.round(BASE[:n] + 0.001, 3), BASE[:n])
    assert row.verdict == "undecided"
    assert row.p == pytest.approx(2 / 2**n)
    assert row.ci_low is not None
    assert row.ci_low < 0


def test_equal_differences_far_beyond_the_last_digit_have_the_variance_of_two_roundings() -> None:
    row = verdict_on(np.round(BASE[:5] - 0.020, 3), BASE[:5])
    assert (row.verdict, row.method) == ("better", "paired t")
    assert row.standard_error == pytest.approx(np.sqrt(1e-6 / 6 / 5))


def test_a_variance_above_that_of_rounding_is_as_it_was() -> None:
    wobble = np.array([0.004, -0.003, 0.001, 0.002, -0.004])
    row = verdict_on(np.round(BASE[:5] + wobble, 3), BASE[:5])
    assert not row.hidden_by_rounding
    assert row.standard_error == pytest.approx(wobble.std(ddof=1) / 5**0.5)


def test_equal_differences_of_losses_with_all_their_digits_have_the_exact_p() -> None:
    base = np.random.default_rng(3).normal(3.5, 0.05, 6)
    row = verdict_on(base - 0.0123456789, base)
    assert (row.p, row.verdict) == (pytest.approx(2 / 2**6), "better")


def test_equal_losses_on_both_sides_have_the_variance_of_rounding_without_pairs() -> None:
    frame = pd.DataFrame(
        {
            "arm": ["baseline"] * 5 + ["arm"] * 5,
            "seed": range(10),
            "loss": [3.412] * 5 + [3.398] * 5,
            "status": "done",
        }
    )
    row = judge(frame, PLAN)["arm"]
    assert row.verdict == "better"
    assert row.standard_error == pytest.approx(np.sqrt(2 * 1e-6 / 12 / 5))


def test_identical_rounded_losses_are_identical() -> None:
    row = verdict_on(BASE, BASE)
    assert (row.verdict, row.p, row.hidden_by_rounding) == ("identical", None, False)


def test_one_difference_of_a_single_digit_is_undecided_with_an_interval_that_ends() -> None:
    """Seven differences of zero and one of 0.01: all flips of signs are as large, so their p is 1."""
    losses = [0.41, 0.43, 0.52, 0.44, 0.45, 0.46, 0.47, 0.48]
    others = [*losses[:3], 0.45, *losses[4:]]
    rows = [
        (arm, seed, loss, "done")
        for arm, own in (("baseline", losses), ("a", others))
        for seed, loss in enumerate(own)
    ]
    runs = pd.DataFrame(rows, columns=["arm", "seed", "loss", "status"])
    row = judge(runs, Plan(arms=("a",), smallest_effect=0.0)).arms[1]
    assert row.verdict == "undecided"
    assert row.p == pytest.approx(0.9)
    assert row.ci_high is not None
    assert row.ci_high < 0.03
