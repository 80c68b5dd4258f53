"""Arms without enough shared seeds, and single runs: which comparison decides, and what it may say."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest

from analysis.verdict import ArmVerdict, Judgement, Plan, judge

BASE = [3.5117, 3.4903, 3.5021, 3.5204, 3.4811]
PLAN = Plan(arms=("arm",), smallest_effect=0.0)


def judged(arms: Mapping[str, Mapping[int, float]], plan: Plan = PLAN) -> Judgement:
    rows = [
        {"arm": arm, "seed": seed, "loss": loss, "status": "done"}
        for arm, losses in arms.items()
        for seed, loss in losses.items()
    ]
    return judge(pd.DataFrame(rows), plan)


def apart(arm: Sequence[float], base: Sequence[float] = BASE) -> ArmVerdict:
    """The verdict on an arm that shares no seed with the baseline."""
    return judged({"baseline": dict(enumerate(base)), "arm": dict(enumerate(arm, 100))})["arm"]


def test_four_runs_on_each_side_are_an_unpaired_test() -> None:
    row = apart([3.41, 3.42, 3.43, 3.40])
    assert (row.method, row.n_shared, row.verdict) == ("Welch t", 0, "better")
    assert row.p == pytest.approx(row.p_welch)
    assert row.runs_to_test is None


@pytest.mark.parametrize("n", [2, 3])
def test_fewer_runs_have_the_degrees_of_freedom_of_the_smaller_side(n: int) -> None:
    row = apart([3.505, 3.515, 3.495][:n], BASE * 4)
    assert (row.method, row.df) == ("small-sample t", n - 1)
    assert (row.verdict, row.runs_counted, row.runs_to_test) == ("undecided", n, 4)
    assert not row.sensitive
    assert row.p is not None
    assert row.p_welch is not None
    assert row.p > row.p_welch


def test_the_side_with_fewer_runs_is_the_one_that_is_counted() -> None:
    row = apart([3.505, 3.515, 3.495, 3.5, 3.52], [3.51, 3.49])
    assert (row.runs_counted, row.runs_to_test) == (2, 4)


def test_a_single_run_looks_worse_and_is_never_a_verdict() -> None:
    row = apart([3.9])
    assert (row.method, row.verdict, row.looks) == ("prediction t", "undecided", "worse")
    assert row.p is not None
    assert row.p < 0.001
    assert row.runs_to_test == 4
    assert apart([3.2]).looks == "better"
    assert apart([3.5]).looks is None


def test_a_single_run_of_a_metric_that_should_be_high_looks_better_above() -> None:
    plan = Plan(arms=("arm",), smallest_effect=0.0, higher_is_better=True)
    assert (
        judged({"baseline": dict(enumerate(BASE)), "arm": {9: 3.9}}, plan)["arm"].looks == "better"
    )


def test_a_single_run_does_not_lower_the_adjusted_p_of_a_test() -> None:
    several = {"baseline": dict(enumerate(BASE)), "arm": dict(enumerate([3.46, 3.48, 3.47, 3.475]))}
    plan = Plan(arms=("arm", "one"), smallest_effect=0.0)
    row = judged({**several, "one": {100: 9.0}}, plan)["arm"]
    assert row.p is not None
    assert row.p_adjusted == pytest.approx(2 * row.p)


def test_one_run_beside_one_run_says_how_many_make_a_test() -> None:
    row = apart([3.4], [3.5])
    assert (row.method, row.verdict, row.runs_to_test) == (None, "undecided", 4)
    assert row.effect == pytest.approx(-0.1)


def test_two_shared_seeds_beside_five_others_are_compared_without_pairs() -> None:
    base = dict(enumerate([*BASE, 3.503, 3.497]))
    arm = {seed + 5: loss - 0.1 for seed, loss in enumerate([*BASE, 3.505, 3.493])}
    row = judged({"baseline": base, "arm": arm})["arm"]
    assert (row.n_shared, row.method, row.verdict) == (2, "Welch t", "better")
    assert row.p == row.p_welch
    assert row.p_paired is None


@pytest.mark.parametrize(
    ("shared", "others", "paired"),
    [(2, 0, True), (2, 1, True), (2, 2, False), (3, 2, True), (3, 3, False), (4, 20, True)],
)
def test_pairs_decide_from_four_or_more_than_half_of_the_smaller_side(
    shared: int, others: int, paired: bool
) -> None:
    generator = np.random.default_rng(1)
    n = shared + others
    base = dict(enumerate(generator.normal(3.5, 0.01, n)))
    arm = {
        i if i < shared else i + 100: loss for i, loss in enumerate(generator.normal(3.5, 0.01, n))
    }
    row = judged({"baseline": base, "arm": arm})["arm"]
    assert (row.method == "paired t") == paired


def test_the_means_of_the_runs_that_an_effect_rests_on_are_given() -> None:
    base = dict(enumerate(BASE))
    arm = {seed: loss - 0.02 - 0.001 * seed for seed, loss in list(base.items())[:4]} | {77: 9.0}
    row = judged({"baseline": base, "arm": arm})["arm"]
    assert row.mean_used is not None
    assert row.baseline_mean_used == pytest.approx(np.mean(BASE[:4]))
    assert row.mean_used - row.baseline_mean_used == pytest.approx(row.effect)
    assert row.mean is not None
    assert row.mean > row.mean_used


def test_arms_apart_borrow_from_each_other_and_leave_the_baseline_its_own_variance() -> None:
    generator = np.random.default_rng(4)
    names = [f"arm-{i}" for i in range(8)]
    arms = {
        name: dict(enumerate(generator.normal(3.5, 0.01, 4), 100 * i))
        for i, name in enumerate(["baseline", *names])
    }
    found = judged(arms, Plan(arms=tuple(names), smallest_effect=0.0))
    rows = found.arms[1:]
    assert {row.method for row in rows} == {"moderated Welch t"}
    own = np.var(list(arms["baseline"].values()), ddof=1) / 4
    for row in rows:
        assert row.standard_error is not None
        assert row.standard_error**2 >= own + row.sd**2 / 4 - 1e-12  # type: ignore[operator]
        assert row.df is not None
        assert row.df > 3
