"""Adjusted p-values, against R's p.adjust and their own order."""

import subprocess
import sys
from itertools import combinations
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.multiplicity import CORRECTIONS, Correction, CorrectionName, adjust, levels

# Benjamini and Hochberg (1995), section 4.1: fifteen ordered p-values of a clinical trial.
TRIAL = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0),
]
FIVE = [0.01, 0.02, 0.03, 0.04, 0.05]

p_values = st.lists(st.floats(0, 1) | st.just(float("nan")), min_size=1, max_size=12)
methods = st.sampled_from(sorted(CORRECTIONS))


@pytest.mark.parametrize(
    ("method", "expected"),
    [  # R: p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), method)
        ("holm", [0.05, 0.08, 0.09, 0.09, 0.09]),
        ("bonferroni", [0.05, 0.10, 0.15, 0.20, 0.25]),
        ("hochberg", [0.05, 0.05, 0.05, 0.05, 0.05]),
        ("hommel", [0.05, 0.05, 0.05, 0.05, 0.05]),
        ("bh", [0.05, 0.05, 0.05, 0.05, 0.05]),
        ("by", [0.1141667, 0.1141667, 0.1141667, 0.1141667, 0.1141667]),
        ("none", FIVE),
    ],
)
def test_adjusted_values_are_those_of_r(method: CorrectionName, expected: list[float]) -> None:
    assert adjust(FIVE, method) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("method", "expected"),
    [  # R: p.adjust(c(0.02, 0.01, NA), method, n = 5)
        ("holm", [0.08, 0.05, np.nan]),
        ("bonferroni", [0.10, 0.05, np.nan]),
        ("bh", [0.05, 0.05, np.nan]),
    ],
)
def test_a_family_may_hold_more_questions_than_answers(
    method: CorrectionName, expected: list[float]
) -> None:
    assert adjust([0.02, 0.01, np.nan], method, family=5) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("correction", CORRECTIONS.values(), ids=lambda each: each.name)
def test_every_correction_keeps_its_own_promises(correction: Correction) -> None:
    assert CORRECTIONS[correction.name] is correction
    assert get_args(CorrectionName) == tuple(CORRECTIONS)
    assert correction.description.endswith(".")
    one, many = correction.level(0.05, 1), correction.level(0.05, 7)
    assert one == correction.level(0.05, 0) == 0.05
    assert 0 < many <= one
    # In the worst case, every other p-value is 1: rejected below the level and not above it.
    for factor, rejected in ((0.999, True), (1.001, False)):
        adjusted = adjust([many * factor, *[1.0] * 6], correction.name)
        assert (adjusted[0] <= 0.05) == rejected


@pytest.mark.parametrize(
    ("method", "first"),  # R: p.adjust(rep(0.01, 7), method)[1]
    [
        *(("holm", 0.07), ("bonferroni", 0.07), ("hochberg", 0.01), ("hommel", 0.01)),
        *(("bh", 0.01), ("by", 0.02592857), ("none", 0.01)),
    ],
)
def test_ties_are_adjusted_as_by_r(method: CorrectionName, first: float) -> None:
    assert adjust([0.01] * 7, method)[0] == pytest.approx(first)


def test_the_registry_of_corrections_loads_without_numpy() -> None:
    code = "import sys, analysis.multiplicity; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_published_trial_rejects_four_by_bh_and_three_by_bonferroni() -> None:
    assert (adjust(TRIAL, "bh") <= 0.05).sum() == 4
    assert (adjust(TRIAL, "bonferroni") <= 0.05).sum() == 3


@given(p_values, methods)
def test_adjusting_never_lowers_a_p_value_nor_leaves_the_unit_interval(
    p: list[float], method: CorrectionName
) -> None:
    raw, adjusted = np.array(p), adjust(p, method)
    known = ~np.isnan(raw)
    assert (np.isnan(adjusted) == ~known).all()
    assert (adjusted[known] >= raw[known]).all()
    assert (adjusted[known] <= 1).all()


@given(p_values, methods, st.randoms())
def test_the_order_of_the_questions_does_not_matter(
    p: list[float], method: CorrectionName, random: object
) -> None:
    order = list(range(len(p)))
    random.shuffle(order)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(adjust(np.array(p)[order], method), adjust(p, method)[order])


@given(p_values, methods)
def test_an_unanswered_question_counts_as_a_p_of_one(
    p: list[float], method: CorrectionName
) -> None:
    raw = np.array(p)
    filled = adjust(np.where(np.isnan(raw), 1.0, raw), method)
    known = ~np.isnan(raw)
    np.testing.assert_array_equal(adjust(raw, method)[known], filled[known])


@given(p_values)
def test_holm_lies_between_no_correction_and_bonferroni(p: list[float]) -> None:
    known = ~np.isnan(p)
    holm, bonferroni = adjust(p, "holm")[known], adjust(p, "bonferroni")[known]
    assert (holm <= bonferroni).all()


def simes(p: list[float]) -> float:
    """The p of the intersection of several null hypotheses (Simes 1986, Biometrika 73, 751-754)."""
    return min(len(p) * each / rank for rank, each in enumerate(sorted(p), 1))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_hommel_is_the_closed_test_of_every_intersection_by_simes(p: list[float]) -> None:
    subsets = [list(s) for n in range(1, len(p) + 1) for s in combinations(range(len(p)), n)]
    closed = [max(simes([p[j] for j in s]) for s in subsets if i in s) for i in range(len(p))]
    assert adjust(p, "hommel") == pytest.approx(np.minimum(closed, 1.0))


@given(p_values, methods, st.integers(0, 5), st.sampled_from([0.05, 0.3]))
def test_an_arm_s_level_is_above_its_p_exactly_where_its_adjusted_p_is_below_alpha(
    p: list[float], method: CorrectionName, unanswered: int, alpha: float
) -> None:
    family = len(p) + unanswered
    adjusted, tested_at = adjust(p, method, family), levels(p, method, alpha, family)
    assert ((tested_at > 0) & (tested_at <= alpha)).all()
    for own, among, level in zip(p, adjusted, tested_at, strict=True):
        if abs(among - alpha) > 1e-9:  # NaN is neither
            assert (own < level) == (among < alpha)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("holm", [0.05 / 4, 0.05 / 3, 0.05 / 2, 0.05 / 2]),
        ("bonferroni", [0.05 / 4] * 4),
        ("bh", [0.05 * 2 / 4] * 4),
        ("by", [0.05 * 2 / 4 / (25 / 12)] * 4),
        ("none", [0.05] * 4),
    ],
)
def test_levels_are_those_of_the_step_at_which_each_question_was_tested(
    method: CorrectionName, expected: list[float]
) -> None:
    # Two are rejected by each method, and the last has no answer.
    p = [0.001, 0.002, 0.6, np.nan]
    assert levels(p, method, 0.05) == pytest.approx(expected)


def test_many_studies_are_adjusted_at_once_as_one_by_one() -> None:
    studies = np.random.default_rng(0).random((7, 5))
    for method in CORRECTIONS:
        one_by_one = [adjust(study, method) for study in studies]
        np.testing.assert_array_equal(adjust(studies, method), one_by_one)


@pytest.mark.parametrize(
    ("p", "method", "family", "message"),
    [
        ([0.1, 1.1], "holm", None, r"outside \[0, 1\]"),
        ([0.1], "sidak", None, "'sidak'; choose from holm, bonferroni, hochberg"),
        ([0.1, np.nan, 0.3], "holm", 2, "a family of 2 cannot hold 3"),
    ],
)
def test_impossible_questions_are_refused(p, method, family, message) -> None:  # noqa: ANN001
    with pytest.raises(ValueError, match=message):
        adjust(p, method, family)
