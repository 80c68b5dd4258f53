"""Many arms: each kind of verdict is held at alpha, and intervals are those of the verdicts."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.multiplicity import CORRECTIONS, CorrectionName
from analysis.verdict import Judgement, Plan, judge
from benchmarks.many_questions import ALPHA, DELTA, Claims, intervals_missed, studies_at

STUDIES = 4000
WIDENED = 0.06 + 2.5 * (0.06 * 0.94 / STUDIES) ** 0.5
AT_DELTA = np.full(8, DELTA)
HALF = np.where(np.arange(8) % 2 == 0, 0.0, DELTA)


@pytest.mark.parametrize("seeds", [3, 5, 7])
@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_arms_at_the_smallest_effect_are_rarely_called_negligible(seeds: int, scale: float) -> None:
    differences, found = studies_at(AT_DELTA, seeds, STUDIES, scale)
    assert found.called_negligible.any(axis=1).mean() <= WIDENED
    unadjusted = Claims.on(differences, "none")
    assert unadjusted.called_negligible.any(axis=1).mean() > 0.15


@pytest.mark.parametrize("seeds", [3, 5, 7])
@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_of_arms_without_and_with_the_smallest_effect_few_have_any_wrong_verdict(
    seeds: int, scale: float
) -> None:
    _, found = studies_at(HALF, seeds, STUDIES, scale)
    wrong = (found.called_negligible & (HALF == DELTA)) | (found.called_real & (HALF == 0))
    assert wrong.any(axis=1).mean() <= WIDENED


def test_an_interval_by_bonferroni_holds_for_all_arms_at_once_and_by_holm_for_those_not_decided() -> (
    None
):
    big, none = np.full(8, 0.5), np.zeros(8)
    assert intervals_missed(big, 5, 1000, "bonferroni").any(axis=1).mean() < 0.08
    assert intervals_missed(none, 5, 1000).any(axis=1).mean() < 0.08
    # If all eight are decided, one or more of Holm's intervals misses in a tenth of studies.
    assert 0.08 < intervals_missed(big, 5, 1000).any(axis=1).mean() < 0.14


def judged(differences: np.ndarray, plan: Plan) -> Judgement:
    """Judge one simulated study: differences of shape (seeds, arms)."""
    names = [f"arm-{i}" for i in range(differences.shape[1])]
    baseline = 3.5 + 0.01 * np.sin(np.arange(len(differences)))[:, None]
    table = pd.DataFrame(
        np.hstack([baseline, baseline + differences]), columns=["baseline", *names]
    )
    runs = table.rename_axis("seed").reset_index().melt("seed", var_name="arm", value_name="loss")
    return judge(runs.assign(status="done"), replace(plan, arms=tuple(names)))


PLAN = Plan(arms=("arm-0",), smallest_effect=DELTA)
MIXED = np.array([0.0, 0.0, 0.001, DELTA, -0.008, 0.006, -0.05, 0.5])


@pytest.mark.parametrize("correction", CORRECTIONS)
@pytest.mark.parametrize("seeds", [3, 5, 7])
def test_the_printed_interval_is_the_one_that_the_verdict_uses(
    correction: CorrectionName, seeds: int
) -> None:
    differences, _ = studies_at(MIXED, seeds, 2, 0.4)
    for study in differences:
        for row in judged(study, replace(PLAN, correction=correction)).arms[1:]:
            low, high, level = row.ci_low_adjusted, row.ci_high_adjusted, row.ci_level
            assert None not in (low, high, level, row.p_adjusted)
            if row.verdict == "negligible":
                assert -DELTA < low < high < DELTA
                assert row.p_negligible_adjusted < ALPHA
                assert level >= 1 - 2 * ALPHA
            else:
                assert (low > 0 or high < 0) == (row.p_adjusted < ALPHA)
                assert level >= 1 - ALPHA - 1e-12


def test_simulated_claims_are_those_of_a_real_study() -> None:
    differences, found = studies_at(MIXED, 5, 3, 0.4)
    for study, differs, negligible in zip(
        differences, found.differs, found.negligible, strict=True
    ):
        rows = judged(study, PLAN).arms[1:]
        assert [row.p_adjusted for row in rows] == pytest.approx(differs, rel=1e-4)
        assert [row.p_negligible_adjusted for row in rows] == pytest.approx(negligible, rel=1e-4)


def test_an_arm_that_failed_counts_as_a_question_about_negligible(study) -> None:  # noqa: ANN001
    base = [3.51, 3.49, 3.50, 3.52, 3.48]
    arm = [each + wobble for each, wobble in zip(base, [1e-3, -2e-3, 2e-3, 0, -1e-3], strict=True)]
    runs = study({"baseline": base, "arm": arm, "lost": base})
    runs.loc[runs["arm"] == "lost", ["status", "loss"]] = "failed", np.nan
    row = judge(runs, replace(PLAN, arms=("arm", "lost")))["arm"]
    assert row.p_negligible_adjusted == 2 * row.p_negligible
    alone = judge(runs[runs["arm"] != "lost"], replace(PLAN, arms=("arm",)))["arm"]
    assert alone.p_negligible_adjusted == row.p_negligible


def test_an_arm_outside_the_family_is_tested_at_alpha(study) -> None:  # noqa: ANN001
    base = [3.51, 3.49, 3.50, 3.52, 3.48]
    wobble = [1e-3, -2e-3, 2e-3, 0, -1e-3]
    arms = {name: list(np.add(base, wobble)) for name in ("a", "b", "placebo")}
    plan = replace(PLAN, arms=tuple(arms), outside_family=frozenset({"placebo"}))
    row = judge(study({"baseline": base, **arms}), plan)["placebo"]
    assert row.p_negligible_adjusted == row.p_negligible
    assert row.ci_level == pytest.approx(0.90)


@pytest.mark.parametrize(
    ("by", "verdict", "small"),
    [(0.0065, "worse", True), (0.02, "worse", False), (-0.0065, "better", True)],
)
def test_a_real_effect_whose_interval_reaches_inside_delta_may_be_too_small(
    study,  # noqa: ANN001
    by: float,
    verdict: str,
    small: bool,
) -> None:
    base = [3.51, 3.49, 3.50, 3.52, 3.48]
    arm = list(np.add(base, by + np.array([1e-3, -2e-3, 3e-3, 0, -2e-3])))
    row = judge(study({"baseline": base, "arm": arm}), replace(PLAN, arms=("arm",)))["arm"]
    assert (row.verdict, row.may_be_too_small) == (verdict, small)
    every = replace(PLAN, arms=("arm",), smallest_effect=0.0)
    assert not judge(study({"baseline": base, "arm": arm}), every)["arm"].may_be_too_small
