"""Further seeds for undecided arms: a stated chance comes true as often as it says."""

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.settle import MAX_FURTHER, Known, Outlook, e_value_rule, outlook
from analysis.verdict import ArmVerdict, Plan, judge
from benchmarks.gates.settling import WITHIN, promises
from sweep.reports.verdict_columns import TOO_MANY_SEEDS


def paired(effect: float, n: int = 5, sd: float = 1.0, df: float | None = None) -> Known:
    return Known(
        effect=effect,
        n=n,
        own_df=n - 1,
        own_variance=sd**2,
        df=df or n - 1,
        variance=sd**2,
    )


@pytest.mark.parametrize("delta", [0.0, 1.0])
def test_the_stated_chance_comes_true_within_ten_points(delta: float) -> None:
    arms = list(promises(delta, tried=6))
    stated, settled = np.mean([(arm.chance, arm.settled) for arm in arms], axis=0)
    assert len(arms) > 60
    assert stated == pytest.approx(settled, abs=WITHIN + 2 * np.sqrt(0.2 / len(arms)))


def test_the_recommended_number_is_the_first_with_the_target_chance() -> None:
    found = outlook(paired(1.2), e_value_rule(0.0, 0.025))
    assert found.seeds is not None
    assert 0.8 <= found.chance < 0.9
    stricter = outlook(paired(1.2), e_value_rule(0.0, 0.025 / 20))
    assert stricter.seeds is not None
    assert stricter.seeds > found.seeds


def test_without_an_even_chance_no_number_is_recommended() -> None:
    found = outlook(paired(0.0, n=30), e_value_rule(0.0, 1e-6))
    assert found == Outlook(seeds=None, chance=found.chance)
    assert 0 < found.chance < 0.5
    assert f"+>{MAX_FURTHER:,}" == TOO_MANY_SEEDS


def test_the_scale_of_losses_and_the_sign_of_the_effect_do_not_matter() -> None:
    found = outlook(paired(0.8), e_value_rule(0.5, 0.01))
    small = outlook(paired(0.8e-3, sd=1e-3), e_value_rule(0.5e-3, 0.01))
    assert (small.seeds, small.chance) == (found.seeds, pytest.approx(found.chance))
    turned = outlook(paired(-0.8), e_value_rule(0.5, 0.01))
    assert turned.chance == pytest.approx(found.chance, abs=0.1)


def test_a_variance_that_other_arms_support_needs_fewer_seeds() -> None:
    rule = e_value_rule(0.0, 0.001)
    alone, supported = (outlook(paired(1.5, n=3, df=df), rule) for df in (2, 20))
    assert alone.seeds is not None
    assert supported.seeds is not None
    assert supported.seeds <= alone.seeds


def judged(study, n: int, arms: int, *, shared: bool = True) -> list[ArmVerdict]:  # noqa: ANN001
    generator = np.random.default_rng(0)
    losses = {f"arm-{i}": (3.5 + 0.01 * generator.normal(size=n)).tolist() for i in range(arms)}
    runs = study({"baseline": (3.5 + 0.01 * generator.normal(size=n)).tolist(), **losses})
    if not shared:
        runs = runs.assign(seed=range(len(runs)))
    plan = Plan(arms=tuple(losses), smallest_effect=0.001)
    rows = judge(runs, plan).arms[1:]
    assert judge(runs, replace(plan, smallest_effect=0.001)).arms[1:] == rows  # the same every time
    return [row for row in rows if row.verdict == "undecided"]


@pytest.mark.parametrize("shared", [True, False])
def test_every_undecided_arm_has_a_chance(study, shared: bool) -> None:  # noqa: ANN001
    rows = judged(study, 5, 6, shared=shared)
    assert len(rows) >= 5
    for row in rows:
        assert row.chance_to_settle is not None
        assert (row.seeds_to_settle is None) == (row.chance_to_settle < 0.5)


def test_forty_arms_take_well_under_a_second() -> None:
    rules, started = e_value_rule(0.1, 0.025 / 40), time.process_time()
    for arm in range(40):
        outlook(paired(arm / 40), rules)
    assert time.process_time() - started < 0.6


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_equal_losses_of_runs_that_do_not_pair_are_judged(n: int) -> None:
    frame = pd.DataFrame(
        {
            "arm": ["baseline"] * 5 + ["same"] * n,
            "seed": [*range(5), *range(n)],
            "loss": 1.0,
            "status": "done",
        }
    )
    plan = Plan(arms=("same",), smallest_effect=0.1, pairs=False)
    [_, arm] = judge(frame, plan).arms
    assert arm.verdict != "better"
    assert arm.effect == 0
