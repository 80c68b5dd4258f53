"""The spread of losses over seeds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.noise import noise, sd_interval_factors


def test_the_sd_of_seven_seeds_has_the_published_interval() -> None:
    # statistics.md, section 4: "7 seeds: 0.644 to 2.202 times"
    assert sd_interval_factors(7) == pytest.approx((0.644, 2.202), abs=5e-4)


def test_the_sd_divides_by_one_less_than_the_number_of_seeds() -> None:
    summary = noise([1.0, 2.0, 4.0])
    assert (summary.n, summary.mean) == (3, pytest.approx(7 / 3))
    assert summary.sd == pytest.approx((7 / 3) ** 0.5)


@given(st.integers(2, 200), st.floats(0.01, 0.2))
def test_the_interval_holds_the_sd_and_narrows_with_alpha(n: int, alpha: float) -> None:
    low, high = sd_interval_factors(n, alpha)
    assert low < 1 < high
    wider = sd_interval_factors(n, alpha / 2)
    assert wider[0] < low
    assert high < wider[1]


def test_identical_losses_have_no_noise() -> None:
    summary = noise([3.5, 3.5, 3.5])
    assert summary.sd == summary.ci_low == summary.ci_high == 0.0


@pytest.mark.parametrize("losses", [[], [3.5]])
def test_noise_of_fewer_than_two_runs_is_refused(losses: list[float]) -> None:
    with pytest.raises(ValueError, match=f"at least two losses.*not {len(losses)}"):
        noise(losses)
