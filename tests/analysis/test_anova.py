"""Analysis of variance, against certified and published tables."""

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.variance.anova import RESIDUAL, Anova, anova, one_way

# NIST StRD, SiRstv: resistivity of silicon wafers, five instruments (five digits after 196).
SILICON = [
    [196.3052, 196.1240, 196.1890, 196.2569, 196.3403],
    [196.3042, 196.3825, 196.1669, 196.3257, 196.0422],
    [196.1303, 196.2005, 196.2889, 196.0343, 196.1811],
    [196.2795, 196.1748, 196.1494, 196.1485, 195.9885],
    [196.2119, 196.1051, 196.1850, 196.0052, 196.2090],
]
# NIST StRD, AtmWtAg: the atomic weight of silver by two instruments, 1e-7 beyond 107.868.
SILVER = [
    [
        *(1568, 1465, 1572, 1785, 1446, 1903, 1526, 1494, 1616, 1587, 1519, 1486),
        *(1419, 1569, 1508, 1672, 1385, 1518, 1662, 1424, 1360, 1333, 1610, 1477),
    ],
    [
        *(1079, 1344, 1513, 1197, 1604, 1385, 1642, 1365, 1151, 1082, 1517, 1448),
        *(1198, 1482, 1334, 1609, 1101, 1512, 1469, 1360, 1254, 1261, 1450, 1368),
    ],
]
DIGITS = 1e-14
"""Relative; the certified values have fifteen digits."""


def groups(values: list[list[float]]) -> pd.DataFrame:
    rows = [(arm, value) for arm, group in enumerate(values) for value in group]
    return pd.DataFrame(rows, columns=["arm", "loss"])


def simon_and_lesage(offset: str, replicates: int) -> pd.DataFrame:
    """NIST StRD, SmLs01 to SmLs09: Simon and Lesage (1989), CSDA 8, 325-332.

    Nine treatments around .4, .3, .5, .3, .5, ...: the centre, then a tenth below and above it in
    turns, behind a constant of 1, 7 or 13 digits.
    """
    centres = [4, 3, 5, 3, 5, 3, 5, 3, 5]
    tenths = [[c] + [c - 1, c + 1] * ((replicates - 1) // 2) for c in centres]
    return groups([[float(f"{offset}.{tenth}") for tenth in cell] for cell in tenths])


def close(table: Anova, expected: dict[str, float]) -> None:
    found = {
        "between": table["arm"].sum_of_squares,
        "within": table[RESIDUAL].sum_of_squares,
        "f": table.f("arm"),
        "r_squared": table.r_squared,
        "sd": math.sqrt(table[RESIDUAL].mean_square),
    }
    assert found == pytest.approx(expected, rel=DIGITS, abs=0)


def test_the_silicon_wafers_are_certified() -> None:
    close(
        one_way(groups(SILICON)),
        {
            "between": 5.11462616000000e-02,
            "within": 2.16636560000000e-01,
            "f": 1.18046237440255,
            "r_squared": 1.90999039051129e-01,
            "sd": 1.04076068334656e-01,
        },
    )


def test_the_atomic_weight_of_silver_is_certified() -> None:
    values = [[float(f"107.868{digits}") for digits in instrument] for instrument in SILVER]
    close(
        one_way(groups(values)),
        {
            "between": 3.63834187500000e-09,
            "within": 1.04951729166667e-08,
            "f": 15.9467335677930,
            "r_squared": 2.57426544538321e-01,
            "sd": 1.51048314446410e-05,
        },
    )


@pytest.mark.parametrize("offset", ["1", "1000000", "1000000000000"])
@pytest.mark.parametrize(
    ("replicates", "between", "within", "f", "r_squared"),
    [
        (21, 1.68, 1.80, 21.0, 4.82758620689655e-01),
        (201, 16.08, 18.0, 201.0, 4.71830985915493e-01),
        (2001, 160.08, 180.0, 2001.0, 4.70712773465067e-01),
    ],
)
def test_values_with_thirteen_constant_leading_digits_have_the_certified_results(
    offset: str, replicates: int, between: float, within: float, f: float, r_squared: float
) -> None:
    expected = {"between": between, "within": within, "f": f, "r_squared": r_squared, "sd": 0.1}
    close(one_way(simon_and_lesage(offset, replicates)), expected)


def test_unequal_groups_agree_with_scipy() -> None:
    # R, PlantGrowth: Dobson (1983), An Introduction to Statistical Modelling; lm(weight ~ group).
    control = [4.17, 5.58, 5.18, 6.11, 4.50, 4.61, 5.17, 4.53, 5.33, 5.14]
    first = [4.81, 4.17, 4.41, 3.59, 5.87, 3.83, 6.03, 4.89, 4.32, 4.69]
    second = [6.31, 5.12, 5.54, 5.50, 5.37, 5.29, 4.92, 6.15, 5.80, 5.26]
    table = one_way(groups([control, first, second]))
    assert table.f("arm") == pytest.approx(4.846, abs=5e-4)
    assert table.p("arm") == pytest.approx(0.01591, abs=5e-6)
    fewer = [control[:7], first, second[:4]]
    table, expected = one_way(groups(fewer)), stats.f_oneway(*fewer)
    assert (table.f("arm"), table.p("arm")) == pytest.approx(tuple(expected), rel=1e-12)
    assert table.mean == pytest.approx(np.concatenate(fewer).mean(), rel=1e-15)


def test_the_cholesterol_of_multcomp_is_that_of_r() -> None:
    # multcomp, `cholesterol`: Westfall and others (1999), p. 153; aov(response ~ trt).
    reductions = [
        [3.8612, 10.3868, 5.9059, 3.0609, 7.7204, 2.7139, 4.9243, 2.3039, 7.5301, 9.4123],
        [10.3993, 8.6027, 13.632, 3.5054, 7.7703, 8.6266, 9.2274, 6.3159, 15.8258, 8.3443],
        [13.9621, 13.9606, 13.9176, 8.0534, 11.0432, 12.3692, 10.3921, 9.0286, 12.8416, 18.1794],
        [16.9819, 15.4576, 19.9793, 14.7389, 13.585, 10.8648, 17.5897, 8.8194, 17.9635, 17.6316],
        [21.5119, 27.2445, 20.5199, 15.7707, 22.885, 23.9527, 21.5925, 18.3058, 20.3851, 17.3071],
    ]
    table = one_way(groups(reductions))
    assert [round(source.sum_of_squares, 1) for source in table.sources] == [1351.4, 468.8]
    assert table.f("arm") == pytest.approx(32.43, abs=5e-3)
    assert table.p("arm") == pytest.approx(9.82e-13, abs=5e-16)


def test_the_warp_breaks_of_two_factors_are_those_of_r() -> None:
    # R, anova(lm(breaks ~ wool * tension, warpbreaks)): Tippett (1950), p. 106.
    breaks = {
        "AL": (26, 30, 54, 25, 70, 52, 51, 26, 67),
        "AM": (18, 21, 29, 17, 12, 18, 35, 30, 36),
        "AH": (36, 21, 24, 18, 10, 43, 28, 15, 26),
        "BL": (27, 14, 29, 19, 29, 31, 41, 20, 44),
        "BM": (42, 26, 19, 16, 39, 28, 21, 39, 29),
        "BH": (20, 21, 24, 17, 13, 15, 15, 16, 28),
    }
    rows = [(wool, tension, n) for (wool, tension), counts in breaks.items() for n in counts]
    frame = pd.DataFrame(rows, columns=["wool", "tension", "breaks"])
    table = anova(frame, ["wool", "tension", "wool:tension"], "breaks")
    squares = [450.7, 2034.3, 1002.8, 5745.1]
    assert [source.df for source in table.sources] == [1, 2, 2, 48]
    assert [source.sum_of_squares for source in table.sources] == pytest.approx(squares, abs=0.05)
    assert table.f("wool:tension") == pytest.approx(4.1891, abs=5e-5)
    assert table.p("wool:tension") == pytest.approx(0.021044, abs=5e-7)


def balanced(levels: tuple[int, ...], repeats: int, seed: int) -> pd.DataFrame:
    cells = [cell for cell in product(*map(range, levels)) for _ in range(repeats)]
    frame = pd.DataFrame(cells, columns=list("abc")[: len(levels)])
    return frame.assign(loss=np.random.default_rng(seed).normal(3.5, 0.01, len(frame)))


@pytest.mark.slow
@given(st.integers(2, 4), st.integers(2, 4), st.integers(2, 3), st.integers(0, 99))
def test_the_squares_of_a_balanced_layout_add_up(a: int, b: int, repeats: int, seed: int) -> None:
    frame = balanced((a, b), repeats, seed)
    for terms in (["a", "b"], ["a", "b", "a:b"], ["a", "a:b"]):
        table = anova(frame, terms)
        total = sum(source.sum_of_squares for source in table.sources)
        assert total == pytest.approx(((frame.loss - frame.loss.mean()) ** 2).sum(), rel=1e-9)
        assert sum(source.df for source in table.sources) == len(frame) - 1
        assert min(source.sum_of_squares for source in table.sources) >= 0


def test_the_order_of_the_rows_does_not_matter_nor_do_rows_that_are_not_done() -> None:
    frame = balanced((3, 4), 2, 1).assign(status="done")
    lost = frame.assign(status="diverged", loss=math.nan)
    shuffled = pd.concat([frame, lost]).sample(frac=1, random_state=1)
    expected, found = anova(frame, ["a", "b"]), anova(shuffled, ["a", "b"])
    for term in ("a", "b", RESIDUAL):
        assert found[term].sum_of_squares == pytest.approx(expected[term].sum_of_squares)


def test_equal_values_have_no_f_and_equal_values_within_groups_have_an_infinite_one() -> None:
    flat = one_way(groups([[3.1, 3.1], [3.1, 3.1]]))
    assert (flat.f("arm"), flat.p("arm"), flat.r_squared) == (None, None, None)
    steps = one_way(groups([[0.1, 0.1, 0.1], [0.3, 0.3, 0.3]]))
    assert steps[RESIDUAL].sum_of_squares == 0
    assert (steps.f("arm"), steps.p("arm"), steps.r_squared) == (math.inf, 0.0, 1.0)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (["arms"], r"no column 'arms'; there are \['a', 'b', 'loss'\]"),
        (["a", "a"], "give each term once"),
        ([], "at least one"),
        (["a:b"], "'residual' has no degrees of freedom left in 12 values"),
        (["a", "b", "a:b"], "'residual' has no degrees of freedom left in 12 values"),
    ],
)
def test_a_layout_without_a_table_is_refused_with_the_reason(
    terms: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        anova(balanced((3, 4), 1, 0), terms)


def test_a_layout_that_is_not_balanced_is_refused() -> None:
    frame = balanced((3, 4), 2, 0)
    with pytest.raises(ValueError, match="the layout of a, b is not balanced"):
        anova(frame.iloc[1:], ["a", "b"])
    with pytest.raises(ValueError, match="'a' has one level"):
        anova(frame[frame.a == 0], ["a", "b"])
    with pytest.raises(ValueError, match="'loss' must have at least two values"):
        anova(frame.assign(loss=math.inf), ["a", "b"])
    with pytest.raises(ValueError, match="'a' is part of 'a:b', 'a:c', so no single"):
        anova(balanced((2, 2, 2), 2, 0), ["a", "b", "c", "a:b", "a:c"])
