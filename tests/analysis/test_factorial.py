"""Two-level factorials, against textbooks."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from analysis.variance.factorial import factorial_effects
from benchmarks.published import FILTRATION


def standard(rates: list[float], factors: str) -> pd.DataFrame:
    """The first factor runs fastest."""
    rows = [row[::-1] for row in product((-1, 1), repeat=len(factors))]
    return pd.DataFrame(rows, columns=list(factors)).assign(loss=rates)


def test_montgomerys_filtration_rates_are_reproduced() -> None:
    found = factorial_effects(standard(FILTRATION, "ABCD"), list("ABCD"))
    assert len(found) == 15
    published = {
        "A": 21.625,
        "B": 3.125,
        "C": 9.875,
        "D": 14.625,
        "A:B": 0.125,
        "A:C": -18.125,
        "A:D": 16.625,
        "B:C": 2.375,
        "B:D": -0.375,
        "C:D": -1.125,
        "A:B:C:D": 1.375,
    }
    assert {name: found[name] for name in published} == pytest.approx(published, rel=1e-12)


def test_the_pilot_plant_of_box_hunter_and_hunter_is_reproduced() -> None:
    # Statistics for Experimenters (1978), table 10.1: temperature, concentration, catalyst.
    found = factorial_effects(standard([60, 72, 54, 68, 52, 83, 45, 80], "TCK"), list("TCK"))
    expected = {"T": 23.0, "C": -5.0, "K": 1.5, "T:C": 1.5, "T:K": 10.0, "C:K": 0.0, "T:C:K": 0.5}
    assert found == pytest.approx(expected)


def test_montgomerys_plasma_etching_is_reproduced_with_its_replicates() -> None:
    # The 2^3 of gap, gas flow and power: 550 and 604 where all are low.
    first = standard([550, 669, 633, 642, 1037, 749, 1075, 729], "ABC")
    second = standard([604, 650, 601, 635, 1052, 868, 1063, 860], "ABC")
    found = factorial_effects(pd.concat([first, second]), list("ABC"))
    published = {
        "A": -101.625,
        "B": 7.375,
        "C": 306.125,
        "A:B": -24.875,
        "A:C": -153.625,
        "B:C": -2.125,
        "A:B:C": 5.625,
    }
    assert found == pytest.approx(published, rel=1e-12)


def test_montgomerys_injection_moulding_is_reproduced_as_a_quarter_fraction() -> None:
    # A 2^(6-2) of resolution IV with E = ABC and F = BCD; AB is aliased with CE.
    shrinkage = [6, 10, 32, 60, 4, 15, 26, 60, 8, 12, 34, 60, 16, 5, 37, 52]
    runs = standard(shrinkage, "ABCD")
    runs = runs.assign(E=runs.A * runs.B * runs.C, F=runs.B * runs.C * runs.D)
    found = factorial_effects(runs, list("ABCDEF"), most=2)
    assert (found["A"], found["B"], found["A:B"], found["C:E"]) == (13.875, 35.625, 11.875, 11.875)


def test_a_half_fraction_finds_the_main_effects_with_their_aliases() -> None:
    full = standard(FILTRATION, "ABCD")
    half = full[full["A"] * full["B"] * full["C"] * full["D"] == 1]
    found = factorial_effects(half, list("ABCD"), most=2)
    # Montgomery, the same experiment as a 2^(4-1) with I = ABCD: A 19.00, AC + BD -18.50.
    assert found["A"] == 19.0
    assert found["A:C"] == found["B:D"] == -18.5


def test_the_reactor_of_box_hunter_and_hunter_is_reproduced_whole_and_by_half() -> None:
    # Statistics for Experimenters (1978), chapter 12: a 2^5 of feed rate, catalyst, agitation,
    # temperature and concentration, of whose 32 runs the 16 with E = ABCD tell nearly the same.
    low = [61, 53, 63, 61, 53, 56, 54, 61, 69, 61, 94, 93, 66, 60, 95, 98]
    high = [56, 63, 70, 65, 59, 55, 67, 65, 44, 45, 78, 77, 49, 42, 81, 82]
    whole = standard([*low, *high], "ABCDE")
    half = whole[whole.E == whole.A * whole.B * whole.C * whole.D]
    named = ("A", "B", "C", "D", "E", "B:D", "D:E")
    for runs, published in (
        (whole, (-1.375, 19.5, -0.625, 10.75, -6.25, 13.25, -11.0)),
        (half, (-2.0, 20.5, 0.0, 12.25, -6.25, 10.75, -9.5)),
    ):
        found = factorial_effects(runs, list("ABCDE"), most=2)
        assert tuple(found[name] for name in named) == published


def test_losses_at_a_high_level_keep_their_digits_and_repeats_are_averaged() -> None:
    rates = np.array(FILTRATION) * 1e-6
    twice = pd.concat([standard(list(1e6 + rates), "ABCD")] * 2)
    found = factorial_effects(twice, list("ABCD"))
    assert found["A:C"] == pytest.approx(-18.125e-6, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="B"), "no column 'B'"),
        (lambda f: f.assign(B=1), "factor 'B' has 1 levels"),
        (lambda f: f.iloc[1:], "'A' is not at each level equally often"),
        (lambda f: f.assign(B=f["A"]), "'A' and 'B' are not balanced over each other"),
        (lambda f: f.assign(loss=np.nan), "must hold finite values"),
    ],
)
def test_a_design_that_is_no_factorial_is_refused_with_the_reason(change, message: str) -> None:  # noqa: ANN001
    with pytest.raises(ValueError, match=message):
        factorial_effects(change(standard(FILTRATION, "ABCD")), list("ABCD"))
