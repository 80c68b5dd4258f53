"""Simultaneous comparisons with the baseline."""

import pandas as pd
import pytest
from scipy import stats

from analysis.dunnett import LargestT, dunnett
from benchmarks.published import BLOOD


def test_the_blood_counts_of_dunnett_are_reproduced(study) -> None:  # noqa: ANN001
    found = dunnett(study(BLOOD))
    assert [row.effect for row in found.values()] == pytest.approx([0.65, 2.628], abs=1e-3)
    # As scipy documents them for these data; its integral is a Monte Carlo's, good to 2e-4.
    assert [row.p for row in found.values()] == pytest.approx([0.62004941, 0.0058035], abs=3e-4)


# Dunnett (1964), Biometrics 20, 482-491, table II: two-sided 5% points for one to nine arms.
TABLE = {
    5: (2.57, 3.03, 3.29, 3.48, 3.62, 3.73, 3.82, 3.90, 3.97),
    10: (2.23, 2.57, 2.76, 2.89, 2.99, 3.07, 3.14, 3.19, 3.24),
    20: (2.09, 2.38, 2.54, 2.65, 2.73, 2.80, 2.86, 2.90, 2.95),
    1e9: (1.96, 2.21, 2.35, 2.44, 2.51, 2.57, 2.61, 2.65, 2.69),
}


@pytest.mark.parametrize("df", TABLE)
def test_critical_values_are_those_of_dunnetts_table(df: float) -> None:
    found = [round(LargestT([4] * arms, 4, df).critical(0.05), 2) for arms in range(1, 10)]
    assert found == list(TABLE[df])


@pytest.mark.parametrize(("arm", "baseline"), [(5, 7), (5, 1), (20_000, 3)])
@pytest.mark.parametrize("t", [0.0, 0.1, 2.5, 12.0])
def test_for_a_single_arm_it_is_students_t(arm: int, baseline: int, t: float) -> None:
    expected = 2 * float(stats.t.sf(t, 9))
    assert LargestT([arm], baseline, 9).tail_probability(t) == pytest.approx(
        expected, rel=1e-6, abs=1e-13
    )


# multcomp, `recovery`: Westfall, Tobias, Rom, Wolfinger and Hochberg (1999), Multiple Comparisons and
# Multiple Tests Using the SAS System, p. 66: minutes to recover under four blankets.
RECOVERY = {
    "baseline": [15, 13, 12, 16, 16, 17, 13, 13, 16, 17, 17, 19, 17, 15, 13, 12, 16, 10, 17, 12],
    "b1": [13, 16, 9],
    "b2": [5, 8, 9],
    "b3": [14, 16, 16, 12, 7, 12, 13, 13, 9, 16, 13, 18, 13, 12, 13],
}


def test_unequal_groups_have_the_simultaneous_intervals_of_multcomp(study) -> None:  # noqa: ANN001
    found = dunnett(study(RECOVERY))
    # multcomp's own output, confint(glht(aov(minutes ~ blanket), mcp(blanket = "Dunnett"))).
    published = {
        "b1": (-2.1333, -6.1234, 1.8568, 0.456),
        "b2": (-7.4667, -11.4568, -3.4766, 0.0),
        "b3": (-1.6667, -3.8679, 0.5346, 0.182),
    }
    for arm, (effect, low, high, p) in published.items():
        row = found[arm]
        assert row.effect == pytest.approx(effect, abs=5e-5)
        assert (row.ci_low, row.ci_high) == pytest.approx((low, high), abs=2e-3)
        assert row.p == pytest.approx(p, abs=1e-3)


def test_an_interval_excludes_zero_where_p_is_below_alpha(study) -> None:  # noqa: ANN001
    drug = dunnett(study(BLOOD))["drug B"]
    for alpha, excludes in ((drug.p * 1.05, True), (drug.p * 0.95, False)):
        row = dunnett(study(BLOOD), alpha=alpha)["drug B"]
        assert (row.ci_low > 0) == excludes
        assert row.ci_high - row.effect == pytest.approx(row.effect - row.ci_low)


def test_the_level_of_the_losses_does_not_matter_nor_do_runs_that_are_not_done(study) -> None:  # noqa: ANN001
    near = study(BLOOD)
    far = near.assign(loss=1e6 + near["loss"])
    failed = far.tail(1).assign(seed=99, status="failed", loss=float("nan"))
    found = dunnett(pd.concat([far, failed]))
    for arm, row in dunnett(near).items():
        assert found[arm].p == pytest.approx(row.p, abs=1e-6)
        assert found[arm].ci_low == pytest.approx(row.ci_low, abs=1e-6)


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        ({"arm": [1.0, 2.0]}, "needs done runs of 'baseline' and of another arm"),
        ({"baseline": [1.0], "arm": [2.0]}, "an arm with two done runs that differ"),
        ({"baseline": [1.0, 1.0], "arm": [2.0]}, "an arm with two done runs that differ"),
    ],
)
def test_runs_that_do_not_vary_are_refused(study, arms, message: str) -> None:  # noqa: ANN001
    with pytest.raises(ValueError, match=message):
        dunnett(study(arms))
