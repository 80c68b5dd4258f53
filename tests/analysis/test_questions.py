"""Margins, targets and effects in tokens."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.effects import paired_t
from analysis.exchange import fieller
from analysis.verdict import ArmVerdict, Plan, judge

BASE = np.array([3.51, 3.49, 3.50, 3.52, 3.48])
WOBBLE = np.array([0.001, -0.002, 0.003, 0.000, -0.002])  # mean 0
PLAN = Plan(arms=("arm",), smallest_effect=0.005)


def verdict_on(study, plan: Plan, arm: np.ndarray, base: np.ndarray = BASE) -> ArmVerdict:  # noqa: ANN001
    return judge(study({"baseline": base, "arm": arm}), plan)["arm"]


@pytest.mark.parametrize(("by", "shown"), [(-0.009, True), (-0.0065, False), (0.02, False)])
def test_the_margin_is_a_one_sided_test_of_an_improvement_by_at_least_it(
    study,  # noqa: ANN001
    by: float,
    shown: bool,
) -> None:
    row = verdict_on(study, replace(PLAN, margin=0.005), BASE + by + WOBBLE)
    expected = stats.ttest_1samp(by + WOBBLE, -0.005, alternative="less").pvalue
    assert row.p_margin == row.p_margin_adjusted == pytest.approx(expected)
    assert row.by_margin == shown
    assert row.verdict == ("better" if by < 0 else "worse")


def test_of_a_metric_that_should_rise_the_margin_is_an_increase(study) -> None:  # noqa: ANN001
    row = verdict_on(study, replace(PLAN, margin=0.005), BASE - 0.009 + WOBBLE)
    turned = replace(PLAN, margin=0.005, higher_is_better=True)
    rise = verdict_on(study, turned, -(BASE - 0.009 + WOBBLE), -BASE)
    assert (rise.p_margin, rise.by_margin) == (pytest.approx(row.p_margin), True)


def test_the_margin_is_adjusted_over_the_family(study) -> None:  # noqa: ANN001
    arms = dict.fromkeys(("arm", "b", "c"), BASE - 0.009 + WOBBLE)
    plan = replace(PLAN, arms=tuple(arms), margin=0.005, correction="bonferroni")
    row = judge(study({"baseline": BASE, **arms}), plan)["arm"]
    assert row.p_margin_adjusted == pytest.approx(3 * row.p_margin)


def test_no_question_that_was_not_asked_is_answered(study) -> None:  # noqa: ANN001
    row = verdict_on(study, PLAN, BASE - 0.02 + WOBBLE)
    assert (row.p_margin, row.p_margin_adjusted, row.p_target, row.worth_tokens) == (None,) * 4


def test_the_target_is_a_one_sample_test_for_every_arm_and_the_baseline(study) -> None:  # noqa: ANN001
    arm = BASE - 0.02 + WOBBLE
    judgement = judge(study({"baseline": BASE, "arm": arm}), replace(PLAN, target=3.495))
    for name, losses in (("baseline", BASE), ("arm", arm)):
        expected = stats.ttest_1samp(losses, 3.495, alternative="less").pvalue
        assert judgement[name].p_target == pytest.approx(expected)
    higher = replace(PLAN, target=3.495, higher_is_better=True)
    above = judge(study({"baseline": BASE, "arm": arm}), higher)["arm"]
    assert above.p_target == pytest.approx(1 - judgement["arm"].p_target)


@pytest.mark.parametrize("losses", [[3.4], [3.4, 3.4]])
def test_a_target_needs_two_values_that_differ(study, losses: list[float]) -> None:  # noqa: ANN001
    runs = study({"baseline": BASE, "arm": losses})
    assert judge(runs, replace(PLAN, target=3.495))["arm"].p_target is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"margin": 0.0}, "margin is 0.0; give nats, above 0"),
        ({"margin": float("nan")}, "margin is nan"),
        ({"target": float("inf")}, "target is inf; give a finite number"),
        ({"budgets": {"x": 0.8}}, "budgets names 'x', which is no arm"),
    ],
)
def test_impossible_questions_are_refused(values, message: str) -> None:  # noqa: ANN001
    with pytest.raises(ValueError, match=message):
        replace(PLAN, **values)


SLOPE = -0.1
BUDGETS = {"less": 0.8, "more": 1.25}
WITH_BUDGETS = replace(
    PLAN, arms=("arm", *BUDGETS), budgets=BUDGETS, outside_family=frozenset(BUDGETS)
)


def with_budgets(arm: np.ndarray, noise: float = 1e-5, seed: int = 0) -> dict[str, np.ndarray]:
    """Losses whose slope over log tokens is `SLOPE`."""
    rng, base = np.random.default_rng(seed), np.resize(BASE, arm.size)
    others = {
        name: base + SLOPE * np.log(ratio) + noise * rng.standard_normal(arm.size)
        for name, ratio in BUDGETS.items()
    }
    return {"baseline": base, "arm": arm, **others}


def test_an_effect_is_worth_the_tokens_that_change_the_baseline_as_much(study) -> None:  # noqa: ANN001
    arm = BASE + SLOPE * np.log(1.12) + 1e-5 * WOBBLE
    judgement = judge(study(with_budgets(arm)), WITH_BUDGETS)
    row = judgement["arm"]
    assert row.worth_tokens == pytest.approx(0.12, abs=1e-3)
    assert row.worth_tokens_low < 0.12 < row.worth_tokens_high
    assert row.worth_tokens_high - row.worth_tokens_low < 0.01
    assert not row.worth_is_extrapolated
    assert judgement.family == 1
    assert judgement["more"].worth_tokens is None
    far = judge(study(with_budgets(BASE - 0.1)), WITH_BUDGETS)["arm"]
    assert far.worth_is_extrapolated


def test_an_arm_that_is_worse_costs_tokens(study) -> None:  # noqa: ANN001
    arm = BASE + SLOPE * np.log(0.9) + 1e-5 * WOBBLE
    row = judge(study(with_budgets(arm)), WITH_BUDGETS)["arm"]
    assert row.worth_tokens == pytest.approx(-0.1, abs=1e-3)


def test_effects_have_no_worth_where_the_slope_is_unknown_or_tokens_do_not_help(study) -> None:  # noqa: ANN001
    noisy = with_budgets(BASE - 0.01 + WOBBLE, noise=0.2)
    assert judge(study(noisy), WITH_BUDGETS)["arm"].worth_tokens is None
    arms = with_budgets(BASE - 0.01 + WOBBLE)
    arms["less"], arms["more"] = arms["more"], arms["less"]
    assert judge(study(arms), WITH_BUDGETS)["arm"].worth_tokens is None
    single = {name: losses[:1] for name, losses in with_budgets(BASE - 0.01).items()}
    assert judge(study(single), WITH_BUDGETS)["arm"].worth_tokens is None


def test_one_other_budget_is_enough(study) -> None:  # noqa: ANN001
    arms = with_budgets(BASE + SLOPE * np.log(1.12) + 1e-5 * WOBBLE)
    del arms["less"]
    plan = replace(
        PLAN,
        arms=("arm", "more"),
        budgets={"more": 1.25},
        outside_family=frozenset({"more"}),
    )
    assert judge(study(arms), plan)["arm"].worth_tokens == pytest.approx(0.12, abs=1e-3)


def test_the_ends_of_fieller_s_interval_are_the_ratios_that_a_t_test_just_rejects() -> None:
    rng = np.random.default_rng(1)
    y = 2 + 0.3 * rng.standard_normal(6)
    x = 0.5 * y + 0.2 * rng.standard_normal(6)
    for ratio in fieller(x, y, 0.05) or ():
        assert paired_t(x - ratio * y).p == pytest.approx(0.05)
    assert fieller(x, y - y.mean() + 0.01, 0.05) is None


@pytest.mark.parametrize("seeds", [3, 5])
def test_the_interval_of_the_worth_covers_the_truth_in_95_percent_of_studies(seeds: int) -> None:
    rng, studies = np.random.default_rng(seeds), 2000
    slope = SLOPE + 0.01 * rng.standard_normal((studies, seeds))
    effect = SLOPE * np.log(1.12) + 0.004 * rng.standard_normal((studies, seeds)) + 0.1 * slope
    truth = np.log(1.12) + 0.1
    ends = [fieller(d, b, 0.05) for d, b in zip(effect, slope, strict=True)]
    covered = [low <= truth <= high for low, high in (each for each in ends if each)]
    assert len(covered) > 0.99 * studies
    assert 0.935 < np.mean(covered) < 0.965


def test_diverged_runs_have_no_part_in_a_target(study) -> None:  # noqa: ANN001
    runs: pd.DataFrame = study({"baseline": BASE, "arm": BASE - 0.02})
    lost = (runs["arm"] == "arm") & (runs["seed"] == 1)
    runs.loc[lost, ["status", "loss"]] = "diverged", np.nan
    row = judge(runs, replace(PLAN, target=3.495))["arm"]
    expected = stats.ttest_1samp(BASE[1:] - 0.02, 3.495, alternative="less").pvalue
    assert row.p_target == pytest.approx(expected)
