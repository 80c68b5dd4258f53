"""Correlation of equal seeds, and arms whose equal seeds do not pair."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.correlation import correlation, fisher_interval
from analysis.verdict import Plan, judge

BASE = [3.41, 3.39, 3.40, 3.42, 3.38, 3.43]
ARM = [3.40, 3.41, 3.38, 3.40, 3.39, 3.41]


def runs() -> pd.DataFrame:
    rows = [
        (arm, seed, loss)
        for arm, losses in (("baseline", BASE), ("a", ARM))
        for seed, loss in enumerate(losses)
    ]
    return pd.DataFrame(rows, columns=["arm", "seed", "loss"]).assign(status="done")


def test_the_interval_of_a_correlation_is_the_one_of_rs_cor_test() -> None:
    # R: cor.test(cars$speed, cars$dist): 0.8068949, interval 0.6816422 to 0.8862036, 50 pairs.
    assert fisher_interval(0.8068949, 50, 0.05) == pytest.approx((0.6816422, 0.8862036), abs=1e-6)


def test_three_pairs_say_nothing_of_their_correlation() -> None:
    assert fisher_interval(0.9, 3, 0.05) == (-1.0, 1.0)
    assert correlation([1.0, 2.0], [1.0, 3.0]) is None


def test_the_interval_covers_the_true_correlation_in_19_of_20_cases() -> None:
    generator = np.random.default_rng(1)
    draws = generator.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=(2000, 7))
    ends = [fisher_interval(correlation(*each.T) or 0.0, 7, 0.05) for each in draws]
    assert 0.935 < np.mean([low < 0.6 < high for low, high in ends]) < 0.965


def test_equal_seeds_that_do_not_pair_are_compared_as_unpaired_and_keep_their_correlation() -> None:
    paired, not_paired = (
        judge(runs(), Plan(arms=("a",), smallest_effect=0.0, pairs=pairs))["a"]
        for pairs in (True, False)
    )
    assert paired.method == "paired t"
    assert not_paired.method is not None
    assert "elch" in not_paired.method
    assert not_paired.pairing_gain is None
    assert not_paired.p_paired is None
    assert not_paired.n_shared == 6
    assert (
        not_paired.correlation == paired.correlation == pytest.approx(np.corrcoef(BASE, ARM)[0, 1])
    )
    assert not_paired.correlation_low is not None
    assert not_paired.correlation_low < 0


def test_renaming_seeds_changes_nothing_where_they_do_not_pair() -> None:
    renamed = runs()
    renamed.loc[renamed["arm"] == "a", "seed"] += 100
    plan = Plan(arms=("a",), smallest_effect=0.0, pairs=False)
    one, other = judge(runs(), plan)["a"], judge(renamed, plan)["a"]
    assert (one.effect, one.p, one.verdict) == (other.effect, other.p, other.verdict)
